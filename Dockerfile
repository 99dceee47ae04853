# One image for every service of ours: the `vcd` command, as a user without rights.
#
#   docker build -t vcd .
#   docker run --rm vcd demo --out /tmp/demo
#
# It runs on the processor; docker-compose.gpu.yml hands it a GPU (the packages for both are in
# it). Whoever has an index of packages without CUDA gets a smaller image with
#   docker build --build-arg PIP_INDEX_URL=... -t vcd .

FROM python:3.11-slim-bookworm AS build
ARG PIP_INDEX_URL
WORKDIR /src
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY vcd vcd
COPY pipelines pipelines
RUN python -m venv /opt/vcd \
 && /opt/vcd/bin/pip install --no-cache-dir --disable-pip-version-check \
      --constraint constraints.txt '.[s3]'

FROM python:3.11-slim-bookworm
COPY --from=build /opt/vcd /opt/vcd
# A named volume takes owner and rights of the folder that it is mounted over.
RUN useradd --system --uid 10001 --home-dir /var/lib/vcd vcd \
 && install -d -o vcd -g vcd \
      /var/lib/vcd /var/lib/vcd/index /var/lib/vcd/descriptors /var/lib/vcd/cache /srv/uploads
ENV PATH=/opt/vcd/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VCD_CACHE=/var/lib/vcd/cache
USER vcd
WORKDIR /var/lib/vcd
EXPOSE 9100
STOPSIGNAL SIGTERM
ENTRYPOINT ["vcd"]
CMD ["--help"]
