# Sourced by scripts that must work on a bare machine.
#
#   install_packages SECTION...    installs what packaging/packages.txt names under these headings and the system lacks
#
# Asks nothing, says what it does, and does nothing where all is there.  Elsewhere than on Debian and its kin it names the list
# and goes on: the build then says what it misses.

packages_file=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/packages.txt

# The lines under the given headings, alternatives and all.
packages_in() {
  awk -v sections=" $* " '
    /^\[/ { inside = index(sections, " " substr($0, 2, length($0) - 2) " "); next }
    inside && NF && !/^#/' "$packages_file" | sort -u
}

# What of these sections is not installed: of each line the first alternative that apt offers counts (the first one where it
# offers none, so that apt names it in its error).  One call of apt-cache: it takes half a second however little it is asked.
packages_missing() {
  apt-cache policy $(packages_in "$@" | tr '|' ' ') | awk -v lines="$(packages_in "$@")" '
    /^[^ ]/ { name = substr($1, 1, length($1) - 1) }
    /^  Installed: [^(]/ { installed[name] = 1 }
    /^  Candidate: [^(]/ { offered[name] = 1 }
    END {
      count = split(lines, line, "\n")
      for (i = 1; i <= count; i++) {
        alternatives = split(line[i], name_of, / *\| */)
        chosen = name_of[1]
        for (k = alternatives; k >= 1; k--) if (name_of[k] in offered) chosen = name_of[k]
        if (!(chosen in installed)) print chosen
      }
    }'
}

install_packages() {
  if ! command -v apt-get >/dev/null; then
    echo "packages: this is no Debian; what is needed stands in $packages_file" >&2
    return 0
  fi
  local missing as_root=()
  missing=$(packages_missing "$@")
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "packages: missing, and neither root nor sudo is here to install them:" $missing >&2; return 1; }
    as_root=(sudo)
  fi
  echo "packages: apt-get update"
  "${as_root[@]}" apt-get update -qq || return 1
  missing=$(packages_missing "$@")                             # again: a bare machine's lists were empty until now
  echo "packages: apt-get install" $missing
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
