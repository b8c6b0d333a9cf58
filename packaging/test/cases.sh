# What is tried in the clean Debian, in this order, for test.sh.
configuration=$root/etc/kq/kqd.properties
unit=$root/lib/systemd/system/kqd.service
trace=$work/trace
lines=$work/lines

# A network of its own, where the port of the packaged configuration is free.
make_network() {
  unshare --net sleep infinity &
  network=$!
  until [ "$(readlink "/proc/$network/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
  nsenter --net="/proc/$network/ns/net" ip link set lo up
}
in_network() { nsenter --net="/proc/$network/ns/net" env -i PATH=$root_path LC_ALL=C.UTF-8 chroot "$root" "$@"; }

# The broker as its unit starts it: its user, its command line.  WRAPPER... stands before it.
start_broker() {
  local command
  command=$(sed -n 's/^ExecStart=//p' "$unit")
  (exec "$@" nsenter --net="/proc/$network/ns/net" env -i PATH=$root_path chroot "$root" \
    setpriv --reuid=kqd --regid=kqd --clear-groups --no-new-privs --bounding-set=-all $command) >"$work/said" 2>"$work/kqd.log" &
  broker=$!
  for ((i = 0; i < 1500; i++)); do
    grep -q 'listening on 127.0.0.1:9092' "$work/said" && return
    kill -0 "$broker" 2>/dev/null || break
    sleep 0.02
  done
  cat "$work/said" "$work/kqd.log"
  return 1
}

stop_broker() {
  kill -TERM "$broker" && wait "$broker" && return
  echo "kqd left with status $?"
  cat "$work/kqd.log"
  return 1
}

has_its_user_and_its_directory() {
  in_root getent passwd kqd && in_root getent group kqd &&
    [ "$(in_root stat -c '%U:%G %a' /var/lib/kq)" = "kqd:kqd 750" ] && [ -f "$configuration" ]
}

main_job() {
  seq -f 'line %g' 1 20000 >"$lines" &&
    in_network kq topic create packages --partitions 4 &&
    in_network kq produce packages <"$lines" &&
    in_network kq consume packages --from-beginning --until-end | LC_ALL=C sort >"$work/back" &&
    LC_ALL=C sort "$lines" | cmp - "$work/back"
}

completes_and_has_manuals() {
  in_root bash -c 'source /usr/share/bash-completion/completions/kq.bash && complete -p kq' &&
    [ -f "$root/usr/share/man/man1/kq.1.gz" ] && [ -f "$root/usr/share/man/man8/kqd.8.gz" ]
}

keeps_a_changed_configuration() {
  echo 'num.partitions=7' >>"$configuration"
  before=$(sha256sum "$configuration")
  apt install --reinstall kqd kq libkq1 && [ "$(sha256sum "$configuration")" = "$before" ] && has_its_user_and_its_directory
}

# What was written before is still there, and the change counts.
goes_on_after_that() {
  start_broker && in_network kq consume packages --from-beginning --until-end | LC_ALL=C sort | cmp - "$work/back" &&
    in_network kq topic create later && [ "$(in_network kq topic describe later -o tsv | wc -l)" = 7 ]
  local status=$?
  stop_broker && return $status
}

# Every system call that kqd makes, beside what its unit lets through.
keeps_to_its_system_calls() {
  awk '!kqd[$1] && /execve\("\/usr\/bin\/kqd"/ { kqd[$1] = 1; begun = 1; next }
       begun && match($0, /^[0-9]+ +[a-z_0-9]+\(/) { sub(/^[0-9]+ +/, ""); sub(/\(.*/, ""); print }' "$trace" | sort -u >"$work/called"
  python3 "$packaging/test/allowed_calls.py" "$unit" | sort >"$work/allowed"
  [ "$(wc -l <"$work/called")" -gt 20 ] && [ "$(wc -l <"$work/allowed")" -gt 100 ] || { wc -l "$work/called" "$work/allowed"; return 1; }
  ! comm -23 "$work/called" "$work/allowed" | grep .
}

unit_is_well_formed() {
  mkdir -p "$work/unit" && sed "s#=/usr/bin/kqd#=$root/usr/bin/kqd#" "$unit" >"$work/unit/kqd.service"
  systemd-analyze verify --man=no --recursive-errors=no "$work/unit/kqd.service"
}
# Of 10, where 10 is a unit without any protection.
unit_is_hardened() { systemd-analyze security --offline=yes --threshold=20 "$work/unit/kqd.service"; }

links() {
  local how=$1 program=$2
  shift 2
  in_root sh -c "gcc -Wall -Wextra -Werror /tmp/main_job.c $* -o /tmp/$program && rm -rf /tmp/data && /tmp/$program /tmp/data && ldd /tmp/$program" \
    >"$work/ldd" 2>&1
  cat "$work/ldd"
  grep -q 'the same record came back' "$work/ldd" && [ "$how" = "$(grep -q 'libkq-broker.so.1 => /' "$work/ldd" && echo dynamic || echo static)" ]
}

main_job_in_python() {
  apt install python3-libkq &&
    in_root python3 -c 'import importlib.metadata, libkq as kq
assert importlib.metadata.version("libkq")
with kq.Broker() as broker:
    with kq.Producer(broker) as producer:
        producer.send("greetings", b"hello").wait()
    with kq.Consumer(broker, "greetings") as consumer:
        assert next(consumer).value == b"hello"'
}

leaves_nothing() {
  apt purge --autoremove kqd kq python3-libkq &&
    ! in_root getent passwd kqd && ! in_root getent group kqd &&
    list_files >"$work/after" && ! LC_ALL=C comm -13 "$work/before" "$work/after" | grep .
}

make_network
case_ok "kqd and kq install by name, with what they depend on" apt install kqd kq || leave
case_ok "kqd has its user and its directory" has_its_user_and_its_directory
case_ok "kq completes in bash, and both have manuals" completes_and_has_manuals
case_ok "the broker starts as its unit starts it" start_broker strace -D -f -qq -o "$trace" || leave
case_ok "a topic is made, 20,000 lines go in, and the same come out" main_job
case_ok "the broker stops cleanly" stop_broker
case_ok "kqd makes no system call that its unit forbids" keeps_to_its_system_calls
case_ok "systemd takes the unit" unit_is_well_formed
case_ok "the unit leaves kqd little to break" unit_is_hardened
case_ok "installing again keeps a changed configuration" keeps_a_changed_configuration
case_ok "the broker goes on with its data and that configuration" goes_on_after_that
case_ok "the main job in Python, with a broker in the process" main_job_in_python
case_ok "purging leaves nothing: no file, no user" leaves_nothing
cp "$packaging/../tests/abi/main_job.c" "$root/tmp"
case_ok "the development packages install" apt install libkq-broker-dev gcc libc6-dev pkg-config
case_ok "a C program links with the shared libraries" links dynamic shared '$(pkg-config --cflags --libs kq-broker)'
case_ok "a C program links with the static libraries" links static static '$(pkg-config --cflags kq-broker) -static $(pkg-config --static --libs kq-broker)'
