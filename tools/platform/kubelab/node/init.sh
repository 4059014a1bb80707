#!/bin/sh
# The first process of a real node, in network, mount, pid, uts and ipc namespaces of its own: sets its world up and
# runs containerd, the kubelet and the policy controller. With it everything in these namespaces ends.
# Arguments: the node's FOLDER, its NAME, the folder of PROGRAMS.
set -eu
folder=$1 name=$2 programs=$3

# What Kubernetes' parts write to fixed places of a machine goes into the node's folder.
mount --bind "$folder/var-lib" /var/lib
mount --make-rshared /var/lib
mount --bind "$folder/var-log" /var/log
mount -t tmpfs run /run
mkdir -p /run/containerd /run/netns
hostname "$name"
# The kubelet sets these for the whole kernel: it gets files of its own to write.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=$folder/sysctl/$(basename "${setting%=*}")
  echo "${setting#*=}" >"$file"
  mount --bind "$file" "/proc/sys/${setting%=*}"
done

# Our end of the network is put here from outside, by this process' id, and what depends on its addresses is written.
until [ -e "$folder/network-ready" ]; do sleep 0.05; done
read -r address pods api <"$folder/network-ready"
# iptables, which criu runs, looks names up: without a resolver that refuses at once each checkpoint waits for 20 s.
[ ! -e /etc/resolv.conf ] || mount --bind "$folder/resolv.conf" /etc/resolv.conf
echo 1 >/proc/sys/net/ipv4/ip_forward
export PATH="$programs:$PATH" TMPDIR="$folder/tmp"

containerd -c "$folder/containerd.toml" >"$folder/log/containerd.log" 2>&1 &
until ctr version >/dev/null 2>&1; do sleep 0.1; done

# The one Service with an address of its own: the API server, at its usual one, for pods with an account. Others are found by their names.
iptables -t nat -A PREROUTING -d 10.96.0.1/32 -p tcp --dport 443 -j DNAT --to-destination "$api"

iptables -t mangle -N POLICY
# What the node itself sends is the kubelet: its probes are not subject to policies.
iptables -t mangle -A POLICY -m owner --uid-owner 0 -j RETURN
iptables -t mangle -A POLICY -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN
iptables -t mangle -A POLICY -s "$pods" -j NFQUEUE --queue-num 100
iptables -t mangle -A POLICY -d "$pods" -j NFQUEUE --queue-num 100
iptables -t mangle -A POSTROUTING -j POLICY
# Pods ask for names at the node, as with a DNS cache on each: there policies decide on what the node itself receives.
names=169.254.20.10
ip address add "$names/32" dev lo
iptables -t mangle -A INPUT -s "$pods" -d "$names" -m conntrack --ctstate NEW -j NFQUEUE --queue-num 100
policy --kubeconfig "$folder/policy.kubeconfig" --node "$name" --queue 100 --names "$names" >"$folder/log/policy.log" 2>&1 &

kubelet --config "$folder/kubelet.json" --kubeconfig "$folder/kubelet.kubeconfig" --hostname-override "$name" \
  --node-ip "$address" --root-dir /var/lib/kubelet -v 2 >"$folder/log/kubelet.log" 2>&1 &
wait
