# A cell in a container. It keeps everything in the volume /var/lib/myceld.
#
#   docker build --tag myceld .
#   docker run --rm --volume cell:/var/lib/myceld myceld init --listen /ip4/0.0.0.0/tcp/4710
#   docker run --detach --init --name cell --volume cell:/var/lib/myceld --publish 4710:4710 myceld
#   docker exec cell myceld status
#
# The gateway listens on the loopback of the container: reach it with `docker exec`.

FROM python:3.12-slim AS build
# fastecdsa, a dependency of libp2p, is compiled.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libgmp-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/myceld
ENV PATH=/opt/myceld/bin:$PATH
# The locks come first: a change of our own code does not install the dependencies again.
COPY requirements/ requirements/
RUN python -m pip install --require-hashes --no-build-isolation -r requirements/build.lock \
    && python -m pip install --require-hashes --no-build-isolation -r requirements/runtime.lock
COPY . .
RUN python -m pip install --no-deps --no-build-isolation .

FROM python:3.12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgmp10 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/myceld myceld \
    && install --directory --owner=myceld --group=myceld --mode=0700 /var/lib/myceld
COPY --from=build /opt/myceld /opt/myceld
COPY --chmod=0755 deploy/found-network /opt/myceld/share/found-network
ENV PATH=/opt/myceld/bin:$PATH MYCELD_HOME=/var/lib/myceld PYTHONUNBUFFERED=1
USER myceld
WORKDIR /var/lib/myceld
VOLUME /var/lib/myceld
EXPOSE 4710
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
    CMD ["myceld", "status", "--json"]
ENTRYPOINT ["myceld"]
CMD ["run"]
