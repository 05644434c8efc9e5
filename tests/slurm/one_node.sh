#!/usr/bin/env bash
# A real Slurm of one node on this machine's loopback, for tests: `one_node.sh up FOLDER`, `one_node.sh down FOLDER`. Needs root and
# Debian's slurmctld, slurmd, slurm-client and munge; no systemd, no accounting database. What it writes, munge's key included, stands in
# FOLDER; /etc/slurm/slurm.conf becomes a link to it, and where there is a real one this stops, so as not to meddle with a cluster.
# Its four CPUs need not be there, and its two GPUs are not.
set -euo pipefail
state=${2:?usage: one_node.sh up|down FOLDER}
export SLURM_CONF=$state/slurm.conf
link=/etc/slurm/slurm.conf # for Snakemake's job steps, which drop SLURM_CONF

wait_for() { # what, command...: up to 30 s
	local what=$1
	shift
	for _ in $(seq 300); do
		"$@" &>/dev/null && return
		sleep 0.1
	done
	echo "one_node.sh: $what did not come up; logs are in $state" >&2
	return 1
}

configure() {
	local host memory
	host=$(hostname -s)
	memory=$(($(awk '/^MemTotal/ {print $2}' /proc/meminfo) / 1024))
	cat >"$SLURM_CONF" <<-EOF
		ClusterName=one
		SlurmctldHost=$host(127.0.0.1)
		SlurmctldPort=26817
		SlurmdPort=26818
		NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=$memory Gres=gpu:fake:2
		PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE
		GresTypes=gpu
		# what NodeName says is not compared with the machine
		SlurmdParameters=config_overrides
		AuthInfo=socket=$state/munge.socket
		SlurmUser=root
		SlurmdUser=root
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core_Memory
		SchedulerParameters=batch_sched_delay=1,bf_interval=2,sched_interval=2
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		JobAcctGatherType=jobacct_gather/none
		AccountingStorageType=accounting_storage/none
		MpiDefault=none
		SwitchType=switch/none
		ReturnToService=2
		# finished jobs stay in squeue's sight, which Snakemake asks in place of sacct
		MinJobAge=3600
		# seconds between SIGTERM and SIGKILL to a job over its time
		KillWait=2
		StateSaveLocation=$state/ctld
		SlurmdSpoolDir=$state/d
		SlurmctldPidFile=$state/ctld.pid
		SlurmdPidFile=$state/d.pid
		SlurmctldLogFile=$state/ctld.log
		SlurmdLogFile=$state/d.log
	EOF
	printf 'NodeName=%s Name=gpu Type=fake File=/dev/%s\n' "$host" null "$host" zero >"$state/gres.conf" # a device a line
}

case $1 in
up)
	if [ -e "$link" ] && [ ! -L "$link" ]; then
		echo "one_node.sh: $link is there: this machine belongs to a cluster" >&2
		exit 1
	fi
	mkdir -p "$state"/{ctld,d}
	configure
	ln -sf "$SLURM_CONF" "$link"
	(umask 077 && head -c 1024 /dev/urandom >"$state/munge.key")
	# --force: root, and a folder that others may write beside, are no faults in a test
	munged --force --socket="$state/munge.socket" --key-file="$state/munge.key" --pid-file="$state/munge.pid" \
		--log-file="$state/munge.log" --seed-file="$state/munge.seed" 2>>"$state/munge.log"
	wait_for munge munge -n --socket="$state/munge.socket"
	slurmctld
	wait_for slurmctld sh -c 'scontrol ping | grep -q UP'
	slurmd
	wait_for slurmd sh -c 'sinfo -h -o %T | grep -q idle'
	wait_for "a first job" srun -n 1 true
	;;
down)
	scancel --full --signal=KILL --state=RUNNING &>/dev/null || true
	for daemon in d ctld munge; do
		[ ! -s "$state/$daemon.pid" ] || kill "$(cat "$state/$daemon.pid")" 2>/dev/null || true
	done
	[ ! -L "$link" ] || rm "$link"
	;;
*)
	echo "usage: one_node.sh up|down FOLDER" >&2
	exit 2
	;;
esac
