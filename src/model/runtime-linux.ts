/*
 * What a bundle asks of Linux: the same as the Engine asks for a container without options (moby, "oci/defaults.go"),
 * since images are made for that.
 */

/** The fourteen capabilities of root in a container. */
export const CAPABILITIES: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** One mount (runtime-spec, "Mounts"). */
export interface RuntimeMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

const QUIET = ['nosuid', 'noexec', 'nodev'] as const;

/** The mounts. A user namespace of one id has no group 5 for terminals, and may not mount a new sysfs. */
export function mountsFor({ isRoot }: { readonly isRoot: boolean }): readonly RuntimeMount[] {
  const devpts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...(isRoot ? ['gid=5'] : [])];
  return [
    mount('/proc', 'proc', 'proc', [...QUIET]),
    mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', devpts),
    mount('/dev/shm', 'tmpfs', 'shm', [...QUIET, 'mode=1777', 'size=65536k']),
    mount('/dev/mqueue', 'mqueue', 'mqueue', [...QUIET]),
    isRoot
      ? mount('/sys', 'sysfs', 'sysfs', [...QUIET, 'ro'])
      : mount('/sys', 'none', '/sys', ['rbind', ...QUIET, 'ro']),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', [...QUIET, 'relatime', 'ro']),
  ];
}

function mount(destination: string, type: string, source: string, options: readonly string[]): RuntimeMount {
  return { destination, type, source, options };
}

/** Paths that a process in the container cannot read. */
export const MASKED_PATHS: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

/** Paths that it cannot write to. */
export const READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];
