#!/usr/bin/env bash
# Starts the Triton server of requirements.txt on a model repository, in the foreground, on the loopback.
#
#   start.sh REPOSITORY [FLAG OF TRITONSERVER ...]
#
#   VENV          where requirements.txt is installed (default: .venv-triton of this repository)
#   GRPC_PORT     (default: 8001), HTTP_PORT (8000) and METRICS_PORT (8002)
#   EXIT_SECONDS  how long a stop waits for requests in progress (default: 30)
#
# Every model of the repository is loaded; later flags go before those given here. SIGTERM stops it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
  echo "start.sh: $1" >&2
  exit 1
}

repository=${1:-}
[[ -n $repository ]] || fail "say which model repository to serve: start.sh REPOSITORY"
[[ -d $repository ]] || fail "$repository is not there: make it with make_repository.py"
shift
venv=${VENV:-$here/../../.venv-triton}
[[ -x $venv/bin/python ]] ||
  fail "$venv is not there: python3 -m venv $venv && $venv/bin/pip install --no-deps -r $here/requirements.txt"
venv=$(cd "$venv" && pwd)

IFS=' ' read -r python packages libraries < <("$venv/bin/python" -c '
import site, sys, sysconfig
print("%d.%d" % sys.version_info[:2], site.getsitepackages()[0], sysconfig.get_config_var("LIBDIR") or "")')
server=$packages/pytriton/tritonserver
[[ -x $server/bin/tritonserver ]] || fail "$venv has no tritonserver: install requirements.txt into it"

# The wheel has a stub for each version of Python; the backend looks for its own beside itself.
stub=$server/backends/python/triton_python_backend_stub
wanted=$server/python_backend_stubs/$python/triton_python_backend_stub
[[ -f $wanted ]] || fail "this server has no Python backend for Python $python"
if ! cmp -s "$wanted" "$stub"; then
  install -m 755 "$wanted" "$stub.$$"
  mv -f "$stub.$$" "$stub"
fi

# The backend's interpreter finds the venv by PATH, and libpython as programs find their libraries.
export PATH="$venv/bin:$PATH" VIRTUAL_ENV="$venv" CUDA_VISIBLE_DEVICES=
export LD_LIBRARY_PATH="$packages/nvidia_pytriton.libs${libraries:+:$libraries}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
missing=$(ldd "$stub" | sed -n 's/^\s*\(libpython\S*\) => not found$/\1/p')
[[ -z $missing ]] || fail "$missing is missing: apt-get install libpython$python"

# Every model of the repository is loaded, and can be unloaded and loaded again while the server runs.
exec "$server/bin/tritonserver" \
  --model-repository="$repository" \
  --backend-directory="$server/backends" \
  --cache-directory="$server/caches" \
  --model-control-mode=explicit --load-model='*' \
  --disable-auto-complete-config \
  --strict-readiness=false \
  --allow-gpu-metrics=false \
  --backend-config=python,shm-region-prefix-name="darkroom-triton-$$-" \
  --backend-config=python,shm-default-byte-size=1048576 \
  --grpc-address=127.0.0.1 --grpc-port="${GRPC_PORT:-8001}" \
  --http-address=127.0.0.1 --http-port="${HTTP_PORT:-8000}" \
  --metrics-address=127.0.0.1 --metrics-port="${METRICS_PORT:-8002}" \
  --exit-timeout-secs="${EXIT_SECONDS:-30}" \
  "$@"
