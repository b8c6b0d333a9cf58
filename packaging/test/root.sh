# A clean Debian in a directory ($root), for test.sh.
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
architecture=$(dpkg --print-architecture)
bare=$cache/debian-$release-$architecture.tar
archives=$cache/debian-archives

# This machine's own mirrors of Debian.
mirrors() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN) $(IDENTIFIER)' |
    awk '$4 == "Debian" && $5 == "Packages" { print "deb", $1, $2, $3 }' | sort -u
}

# The bare system is made once; what it lacks of today's fixes does not matter here.
make_bare() {
  [ -f "$bare" ] && return
  local made=${bare%.tar}.$$.tar
  mkdir -p "$cache"
  mirrors | mmdebstrap --mode=root --variant=minbase --dpkgopt=force-unsafe-io --skip=cleanup/apt/lists "$release" "$made" - && mv "$made" "$bare"
}

remove_root() {
  [ -e "$root" ] || return 0
  umount "$root/proc" 2>/dev/null
  ! mountpoint -q "$root/proc" && rm -rf --one-file-system "$root"
}

# The packages lie in a repository in it, as a user would have them.
make_root() {
  make_bare && remove_root && mkdir -p "$root" "$archives" || return 1
  tar -x -f "$bare" -C "$root" && mount -t proc proc "$root/proc" || return 1
  mkdir "$root/repository" && cp "$dist"/*.deb "$root/repository" || return 1
  (cd "$root/repository" && dpkg-scanpackages -m . 2>/dev/null >Packages) || return 1
  echo 'deb [trusted=yes] file:/repository ./' >"$root/etc/apt/sources.list.d/kq.list"
  echo 'force-unsafe-io' >"$root/etc/dpkg/dpkg.cfg.d/kq-test"
  cp "$archives"/*.deb "$root/var/cache/apt/archives" 2>/dev/null
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  echo '127.0.0.1 localhost' >"$root/etc/hosts"
  in_root apt-get update -q
}

root_path=/usr/sbin:/usr/bin:/sbin:/bin
in_root() { env -i PATH=$root_path HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }

# apt PARTS...: apt-get, and what it has downloaded is kept for the next run.
apt() {
  in_root apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
  local status=$?
  cp -n "$root"/var/cache/apt/archives/*.deb "$archives" 2>/dev/null
  return $status
}

# Everything in it but the books of dpkg, apt and adduser.
list_files() {
  (cd "$root" && find . -xdev \( -path ./proc -o -path ./run -o -path ./tmp -o -path ./repository -o -path './etc/*shadow-' -o \
    -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \) -prune -o -print) | LC_ALL=C sort
}
