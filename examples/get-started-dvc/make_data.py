"""Make data/posts.xml: 6000 questions of a forum that never was, the same ones every time.

`python3 make_data.py`; only `random.random` is used, which gives the same in all Python versions.
"""

import random
from pathlib import Path
from xml.sax.saxutils import quoteattr

QUESTIONS = 6000
COMMON = (
    "how do I get the value of a column when the file has more rows than expected and what is "
    "wrong with my code it works on one machine but not on the other please explain why this "
    "error appears after an update I have tried to read the manual and searched for an answer"
)
TOPICS = {
    topic: words.split(" ")
    for topic, words in {
        "r": "dataframe ggplot dplyr tibble factor knitr cran vector levels apply aes tidyverse",
        "python": "list dict pandas numpy import pip tuple class self lambda decorator generator",
        "sql": "join select index query table schema cursor trigger transaction view group",
        "css": "flexbox selector margin grid float pixel hover stylesheet border z-index",
    }.items()
}
draw = random.Random(20170428).random


def choose(words):
    return words[int(draw() * len(words))]


def sentence(topic, length):
    """Make up a sentence in which a few words belong to the topic, or now and then to another."""
    said = []
    for _ in range(length):
        of = topic if draw() < 0.85 else choose(list(TOPICS))
        said.append(choose(TOPICS[of]) if draw() < 0.05 else choose(COMMON.split()))
    return " ".join(said)


def row(number):
    topic = choose(list(TOPICS))
    title = sentence(topic, 6 + int(draw() * 5))
    body = "".join(f"<p>{sentence(topic, 12 + int(draw() * 25))}.</p>\n" for _ in range(3))
    fields = {
        "Id": number,
        "PostTypeId": 1,
        "Score": int(draw() * draw() * 40),
        "Tags": f"<{topic}>",
        "Title": f"{title}?",
        "Body": body,
    }
    written = " ".join(f"{name}={quoteattr(str(text))}" for name, text in fields.items())
    return f"  <row {written} />\n"


target = Path(__file__).parent / "data" / "posts.xml"
with target.open("w", encoding="utf-8") as file:
    file.write('<?xml version="1.0" encoding="utf-8"?>\n<posts>\n')
    file.writelines(row(number) for number in range(1, QUESTIONS + 1))
    file.write("</posts>\n")
