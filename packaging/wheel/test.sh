#!/usr/bin/env bash
# test.sh WHEEL [PYTHON]: tries a wheel in a fresh environment, as someone who has nothing else would.  Says what is wrong, or one line.
set -eu
wheel=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${2:-python3}" -m venv "$work/venv"
export PATH=$work/venv/bin:$PATH
unset LD_LIBRARY_PATH PYTHONPATH
cd "$work"
python -m pip install --quiet --disable-pip-version-check --no-index --no-deps "$wheel"

case $wheel in
*-abi3-*) ;;
*) echo "test.sh: $(basename "$wheel") is for one version of Python alone" >&2 && exit 1 ;;
esac
package=$(python -c 'import libkq, os; print(os.path.dirname(libkq.__file__))')
if command -v nm >/dev/null; then
  [ "$(nm -D --defined-only "$package/_kq.abi3.so" | awk '{print $3}')" = PyInit__kq ] || { echo "test.sh: the extension exports more than PyInit__kq" >&2 && exit 1; }
fi
version=$(python -c 'import libkq; print(libkq.__version__)')
[ "$(kq --version)" = "kq $version" ] || { echo "test.sh: kq --version says $(kq --version 2>&1)" >&2 && exit 1; }
python - <<'PY'
import json
import subprocess

import libkq as kq

with kq.Broker() as broker:
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        with kq.Producer(broker, compression_type=codec) as producer:
            producer.send_many("t", [codec.encode() * 100] * 10).wait(20)
    with kq.Consumer(broker, "t", group="g", start="earliest") as consumer:
        seen = 0
        for batch in consumer.batches(20):
            seen += len(batch)
            if seen == 50:
                break
        consumer.commit()
    listed = subprocess.run(["kq", "topic", "list", "-b", broker.address], check=True, capture_output=True, text=True).stdout
    assert "t" in listed.split(), listed
PY
echo "$(basename "$wheel"): $(du -k "$wheel" | cut -f1) KiB, kq $version, $(python --version)"
