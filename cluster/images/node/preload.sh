#!/bin/sh
# Unpack the images of /preload/images.tar into the node's own containerd, so that no pod has to wait for that.
#
# containerd works on a volume, because overlays can't be stacked on the overlay this container runs on; what it made
# is then copied to where the node will look for it.
set -eu

pause=$1

sed -i "s#sandbox_image = .*#sandbox_image = \"$pause\"#" /etc/containerd/config.toml
ctr oci spec |
	jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
		>/etc/containerd/cri-base.json

containerd --root /unpacked/root --state /unpacked/state --address /unpacked/containerd.sock >/unpacked/log 2>&1 &
server=$!
trap 'tail -n 20 /unpacked/log >&2' EXIT
node_ctr() { ctr --address /unpacked/containerd.sock --namespace k8s.io "$@"; }
tries=0
until node_ctr version >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ $tries -lt 300 ] && kill -0 $server || exit 1
	sleep 0.1
done

node_ctr images import --local --discard-unpacked-layers \
	--label io.cri-containerd.image=managed --label io.cri-containerd.pinned=pinned /preload/images.tar
node_ctr content prune references
node_ctr images ls --quiet

kill $server
wait $server || true
trap - EXIT
mkdir -p /var/lib/containerd
cp -a /unpacked/root/. /var/lib/containerd/
