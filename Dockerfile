# lungpipe in a container: finds nodules in a scan without a network. Research use only, not a medical device.
#
#   docker build -t lungpipe .                              without CUDA
#   docker build -t lungpipe:cuda --build-arg DEVICE=cuda . for NVIDIA GPUs (run with --gpus all)
#   docker run --rm --network none -v /data/scan:/in:ro -v /data/found:/out lungpipe predict /in --out /out/scan
#
# The folder behind /out must be writable for user 1000 (or give --user). tests/architecture/test_dockerfile.py checks
# this file against pyproject.toml, constraints.txt and envs/.
ARG PYTHON=3.11
FROM python:${PYTHON}-slim-bookworm AS build
# cpu or cuda
ARG DEVICE=cpu
ARG CPU_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/lungpipe
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN case "$DEVICE" in \
        cpu) index="--extra-index-url $CPU_INDEX" ;; \
        cuda) index="" ;; \
        *) echo "DEVICE: expected cpu or cuda, found $DEVICE" >&2; exit 1 ;; \
    esac \
    && /opt/lungpipe/bin/pip install --no-cache-dir $index -c constraints.txt .

FROM python:${PYTHON}-slim-bookworm
LABEL org.opencontainers.image.title="lungpipe" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.description="Lung nodules in chest CT. Research use only, not a medical device."
COPY --from=build /opt/lungpipe /opt/lungpipe
# nothing is downloaded or reported at run time; caches go to a place that any user may write to
ENV PATH=/opt/lungpipe/bin:$PATH \
    MLFLOW_DISABLE_TELEMETRY=true \
    MPLCONFIGDIR=/srv/lungpipe/matplotlib \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 1000 --home-dir /srv/lungpipe --create-home reader && chmod 1777 /srv/lungpipe
USER 1000
WORKDIR /srv/lungpipe
ENTRYPOINT ["lungpipe"]
CMD ["--help"]
