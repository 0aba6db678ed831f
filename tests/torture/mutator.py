"""Change one thing in a module, as mutation testing does.

See Jia and Harman, "An analysis and survey of the development of mutation testing", 2011. A
comparison is turned around, a condition decided, a constant moved; a call, a `raise`, an answer
or a caught exception is forgotten. What only words a message, a type or a docstring stays, and so
do the figures of a module, which were chosen by measuring.
"""

from __future__ import annotations

import ast

_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_UNTOUCHED = frozenset({"hint", "strict", "timeout"})
"""Arguments that are words, a check of types at run time, or a time."""


def count(text: str) -> int:
    """Count what can be changed in a module."""
    mutator = _Mutator()
    mutator.visit(ast.parse(text))
    return mutator.count


def mutate(text: str, number: int | None = None) -> tuple[str, str]:
    """Change a module in one of the ways; return the changed text, and where it is what.

    Without a *number* the text is written anew and nothing is changed.
    """
    mutator = _Mutator(number)
    tree = ast.fix_missing_locations(mutator.visit(ast.parse(text)))
    return ast.unparse(tree), mutator.what


class _Mutator(ast.NodeTransformer):
    """Makes the change of this *number*; without, counts them all."""

    def __init__(self, number: int | None = None) -> None:
        self.count = 0
        self.what = ""
        self._number = number

    def _here(self, node: ast.AST, what: str) -> bool:
        self.count += 1
        if self.count - 1 != self._number:
            return False
        line = getattr(node, "lineno", 0)
        self.what = f"{line}: {what}: {ast.unparse(node).splitlines()[0][:80]}"
        return True

    def visit_Module(self, node: ast.Module) -> ast.AST:
        figures = (ast.Assign, ast.AnnAssign)
        node.body = [each if isinstance(each, figures) else self.visit(each) for each in node.body]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        usual = node.args
        usual.defaults = [self.visit(each) for each in usual.defaults]
        usual.kw_defaults = [each and self.visit(each) for each in usual.kw_defaults]
        node.body = [self.visit(each) for each in node.body]
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [self.visit(each) for each in node.body]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.value = node.value and self.visit(node.value)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        return node if node.arg in _UNTOUCHED else self.generic_visit(node)

    def _decide(self, node: ast.expr) -> ast.expr:
        for answer in (True, False):
            if self._here(node, f"always {answer}"):
                return ast.Constant(answer)
        changed: ast.expr = self.visit(node)
        return changed

    def visit_If(self, node: ast.If) -> ast.AST:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return node
        node.test = self._decide(node.test)
        node.body = [self.visit(each) for each in node.body]
        node.orelse = [self.visit(each) for each in node.orelse]
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        if any(_is_text(each) for each in (node.body, node.orelse)):
            return node
        node.test = self._decide(node.test)
        node.body, node.orelse = self.visit(node.body), self.visit(node.orelse)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.iter = self.visit(node.iter)
        node.ifs = [self._decide(each) for each in node.ifs]
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Pass() if self._here(node, "not raised") else node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        for kind in kinds:
            if kind is not None and self._here(kind, "not caught"):
                node.type = ast.Tuple([each for each in kinds if each and each is not kind])
        node.body = [self.visit(each) for each in node.body]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Call) and self._here(node, "not called"):
            return ast.Pass()
        return self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        empty = node.value is None or (
            isinstance(node.value, ast.Constant) and not node.value.value
        )
        if not empty and self._here(node, "nothing returned"):
            return ast.Return(ast.Constant(None))
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if ast.unparse(node.func) == "contextlib.suppress":
            if self._here(node, "not suppressed"):
                node.args = []
            return node
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if (turned := _TURNED.get(type(node.ops[0]))) and self._here(node, "turned around"):
            node.ops[0] = turned()
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if self._here(node, "and or or"):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Not) and self._here(node, "not left out"):
            return node.operand
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        other = {ast.Add: ast.Sub, ast.Sub: ast.Add}.get(type(node.op))
        if other is not None and self._here(node, "plus or minus"):
            node.op = other()
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, bool):
            return ast.Constant(not node.value) if self._here(node, "the opposite") else node
        if isinstance(node.value, int) and self._here(node, "one more"):
            return ast.Constant(node.value + 1)
        return node


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
