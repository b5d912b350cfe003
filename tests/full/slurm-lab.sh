#!/usr/bin/env bash
# A real Slurm on this machine: a controller and N nodes, each in network, host-name, process and mount namespaces of its own. Needs root, slurm-wlm, munge, iproute2.
#   LAB=FOLDER slurm-lab.sh up N | down | kill I | start I | cut I | heal I | run COMMAND...
set -euo pipefail
: "${LAB:?set LAB to a scratch folder}"
prefix=elm$(cksum <<<"$LAB" | head -c 5)n # several labs may be up at once
control=${prefix}ctl
export SLURM_CONF=$LAB/slurm.conf

write_configuration() {
    local nodes=$1 i
    cat >"$SLURM_CONF" <<CONF
ClusterName=elmpilab
SlurmctldHost=$(hostname -s)(10.97.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$LAB/munge/socket
CredType=cred/munge
StateSaveLocation=$LAB/state
SlurmdSpoolDir=$LAB/spool/%n
TmpFS=$LAB/tmp/%n
SlurmctldPidFile=$LAB/pid/slurmctld.pid
SlurmdPidFile=$LAB/pid/slurmd.%n.pid
SlurmctldLogFile=$LAB/log/slurmctld.log
SlurmdLogFile=$LAB/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=pmix
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=5,batch_sched_delay=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
ReturnToService=2
SlurmdTimeout=10
SlurmctldTimeout=10
MessageTimeout=5
KillWait=5
JobRequeue=1
UnkillableStepTimeout=20
SlurmdParameters=config_overrides
MailProg=/bin/true
CONF
    for ((i = 0; i < nodes; i++)); do
        echo "NodeName=$prefix$i NodeAddr=10.97.0.$((10 + i)) CPUs=8 RealMemory=4000 State=UNKNOWN" >>"$SLURM_CONF"
    done
    # Jobs of "urgent" preempt those of the others: main's have half a minute's grace, sudden's none.
    cat >>"$SLURM_CONF" <<CONF
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10 State=UP PriorityTier=1 GraceTime=30
PartitionName=sudden Nodes=ALL MaxTime=INFINITE DefaultTime=10 State=UP PriorityTier=1 GraceTime=0
PartitionName=urgent Nodes=ALL MaxTime=INFINITE DefaultTime=10 State=UP PriorityTier=9 PreemptMode=OFF
CONF
    echo CgroupPlugin=cgroup/v1 >"$LAB/cgroup.conf"
}

start_node() {
    local node=$prefix$1
    # bash is the namespace's first process and reaps what dies.
    ip netns exec "$node" setsid unshare --uts --pid --mount --ipc --fork --kill-child --mount-proc \
        bash -c "hostname $node; mount -t tmpfs tmpfs /dev/shm; slurmd -D -N $node & wait" </dev/null >"$LAB/log/$node.out" 2>&1 &
    echo $! >"$LAB/pid/$node"
}

up() {
    local nodes=$1 i
    mkdir -p "$LAB"/{munge,state,log,spool,tmp,pid}
    chmod 711 "$LAB/munge"
    mungekey --create --keyfile="$LAB/munge/key"
    ip netns add "$control"
    ip -n "$control" link set lo up
    ip -n "$control" link add br0 type bridge
    ip -n "$control" addr add 10.97.0.1/24 dev br0
    ip -n "$control" link set br0 up
    for ((i = 0; i < nodes; i++)); do
        mkdir -p "$LAB/spool/$prefix$i" "$LAB/tmp/$prefix$i"
        ip netns add "$prefix$i"
        ip link add e0 netns "$prefix$i" type veth peer name "v$i" netns "$control"
        ip -n "$prefix$i" link set lo up
        ip -n "$prefix$i" addr add "10.97.0.$((10 + i))/24" dev e0
        ip -n "$prefix$i" link set e0 up
        ip -n "$control" link set "v$i" master br0 up
    done
    write_configuration "$nodes"
    munged --key-file="$LAB/munge/key" --socket="$LAB/munge/socket" --pid-file="$LAB/munge/pid" --log-file="$LAB/munge/log" \
        --seed-file="$LAB/munge/seed" --num-threads=2
    ip netns exec "$control" slurmctld -i
    for ((i = 0; i < nodes; i++)); do start_node "$i"; done
    for ((i = 0; i < 100; i++)); do
        [ "$(ip netns exec "$control" sinfo -h -t idle -o %D)" != "$nodes" ] || return 0
        sleep 0.1
    done
    echo "slurm-lab.sh: error: the nodes do not come up (see $LAB/log)" >&2
    return 1
}

down() {
    local file name
    for file in "$LAB"/pid/"$prefix"*; do
        [ ! -f "$file" ] || kill -9 "$(cat "$file")" 2>/dev/null || true
    done
    for file in "$LAB/pid/slurmctld.pid" "$LAB/munge/pid"; do
        [ ! -f "$file" ] || kill "$(cat "$file")" 2>/dev/null || true
    done
    sleep 1
    ip netns list | awk -v p="^$prefix" '$1 ~ p { print $1 }' | while read -r name; do ip netns del "$name"; done
}

case $1 in
up) up "$2" ;;
down) down ;;
start) start_node "$2" ;;
kill) kill -9 "$(cat "$LAB/pid/$prefix$2")" ;; # the host dies: its whole process namespace goes with it
cut) ip -n "$control" link set "v$2" down ;;   # the host lives on and hears nobody
heal) ip -n "$control" link set "v$2" up ;;
run)
    shift
    ip netns exec "$control" "$@"
    ;;
esac
