# Pinion in a container: policies read from /etc/pinion/policies, the store in /var/lib/pinion; the rest may be read-only.
#
#   docker run --rm -p 8080:8080 -v "$PWD/policies:/etc/pinion/policies:ro" -v pinion:/var/lib/pinion pinion
#
# The applications' API answers on every address, so the policies must declare an app. The operations API stays on the
# container's loopback; to open it, set PINION_ADMIN_HOST=0.0.0.0 together with PINION_ADMIN_TOKEN.

# 3.11 is the version that the tests run on.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src

# The dependencies first: they change less often than the code. Wheels only, so that nothing is compiled here.
RUN python -m venv /opt/builder && python -m venv --without-pip /opt/pinion
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN /opt/builder/bin/pip install --require-hashes --only-binary :all: --requirement requirements/build.txt \
    && /opt/builder/bin/pip --python /opt/pinion/bin/python install \
        --require-hashes --only-binary :all: --requirement requirements/runtime.txt

COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
RUN /opt/builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/builder/bin/pip --python /opt/pinion/bin/python install --no-deps --no-index dist/*.whl

FROM python:${PYTHON}-slim
COPY --from=build /opt/pinion /opt/pinion
RUN install --directory --owner=10001 --group=10001 /var/lib/pinion

# Nothing writes outside the volume, so the root file system can be mounted read-only.
ENV PATH=/opt/pinion/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PINION_HOST=0.0.0.0 \
    PINION_POLICIES=/etc/pinion/policies \
    PINION_STORE=sqlite:////var/lib/pinion/pinion.db
WORKDIR /var/lib/pinion
VOLUME ["/var/lib/pinion"]
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
EXPOSE 8080 8081

# http.client and not urllib: an egress proxy in the environment must not see this request.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
port = int(os.environ.get('PINION_ADMIN_PORT', '8081')); \
connection = http.client.HTTPConnection('127.0.0.1', port, timeout=2); \
connection.request('GET', '/readyz'); \
sys.exit(connection.getresponse().status != 200)"]

ENTRYPOINT ["pinion"]
CMD ["serve"]
