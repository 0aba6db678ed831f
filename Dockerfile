# The image of pivot-remote: Python, pivot in /opt/pivot, and an entrypoint. It needs BuildKit.
#
#   docker build -t pivot-remote .
#   docker build --build-arg BASE_IMAGE=mirror.example.org/python:3.13-slim -t pivot-remote .
#   docker build --secret id=pip.conf,src=$HOME/.config/pip/pip.conf -t pivot-remote .
#
# Who builds for others gives VERSION, REVISION, CREATED, BASE_DIGEST and SOURCE_DATE_EPOCH as well.

# A stage of its own, since Dependabot follows no name that comes from an ARG. With another
# BASE_IMAGE nothing pulls it.
ARG BASE_IMAGE=pinned
FROM python:3.13-slim AS pinned

# hadolint ignore=DL3006  the tag, or digest, is part of the argument
FROM ${BASE_IMAGE} AS build
# A mirror is as safe as the index: every wheel is held to its hash. Settings that hold a password
# come as the secret `pip.conf`, which leaves no trace.
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/runtime.txt requirements/image.txt requirements/
# pip and the build backend stay in a venv of their own, which no later stage copies
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf \
    python -m venv tools \
    && python -m venv --without-pip /opt/pivot \
    && tools/bin/pip install --quiet --require-hashes --only-binary :all: --no-deps -r requirements/image.txt \
    && tools/bin/pip --python /opt/pivot/bin/python install --quiet --no-compile \
        --require-hashes --only-binary :all: --no-deps -r requirements/runtime.txt
# Of botocore's descriptions of 400 services those that the credential chain and S3 need
RUN find /opt/pivot/lib/python3.*/site-packages/botocore/data /opt/pivot/lib/python3.*/site-packages/boto3/data \
        -mindepth 1 -maxdepth 1 -type d \
        ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -rf {} +
COPY pyproject.toml README.md LICENSE ./
COPY pivot pivot
# The time of files in the image, in seconds since 1970, so that the same sources make the same bytes
ARG SOURCE_DATE_EPOCH=0
RUN tools/bin/pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir wheel . \
    && tools/bin/pip --python /opt/pivot/bin/python install --quiet --no-compile --no-index --no-deps wheel/*.whl
COPY entrypoint.py /opt/pivot/
# Bytecode is never compared with its source: nothing in the image changes, whoever may write to it
RUN PYTHONHASHSEED=0 /opt/pivot/bin/python -m compileall -q -f --invalidation-mode unchecked-hash /opt/pivot/lib \
    && mkdir -p /image/project /image/tmp/home \
    && chmod 1777 /image/tmp /image/tmp/home \
    && mv /opt /image/opt \
    && find /image -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH}" {} +

# hadolint ignore=DL3006
FROM ${BASE_IMAGE}
# What could install something at run time. The list of Debian's packages stays, for scanners.
RUN rm -rf /usr/bin/apt* /usr/bin/dpkg* /usr/lib/apt /usr/lib/dpkg \
        /usr/local/bin/pip* /usr/local/lib/python3.*/ensurepip /usr/local/lib/python3.*/site-packages/pip* \
        /usr/lib/python3.*/ensurepip /usr/share/python-wheels
COPY --from=build /image /
ENV PATH=/opt/pivot/bin:$PATH HOME=/tmp/home PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1
WORKDIR /project
STOPSIGNAL SIGINT
ENTRYPOINT ["/opt/pivot/bin/python", "-I", "/opt/pivot/entrypoint.py"]
CMD ["--help"]

ARG BASE_NAME=docker.io/library/python:3.13-slim
ARG BASE_DIGEST
ARG VERSION=unreleased
ARG REVISION
ARG CREATED
ARG URL=https://github.com/OWNER/pivot-remote
LABEL org.opencontainers.image.title="pivot-remote" \
      org.opencontainers.image.description="Share the cached outputs of Pivot pipelines through S3" \
      org.opencontainers.image.source="${URL}" \
      org.opencontainers.image.url="${URL}" \
      org.opencontainers.image.documentation="${URL}#readme" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE_NAME}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
