import { createRequire } from 'node:module';
import os from 'node:os';
import { hostPlatform } from '../../index.js';
import { NEWEST_VERSION, OLDEST_VERSION } from '../api-version.js';

/** Lading's own version. */
export const VERSION = (createRequire(import.meta.url)('#package') as { version: string }).version;

/** `GET /version`. */
export function versionOf(): object {
  const { os: system, architecture } = hostPlatform();
  const about = {
    Version: VERSION,
    ApiVersion: NEWEST_VERSION,
    MinAPIVersion: OLDEST_VERSION,
    GitCommit: '',
    GoVersion: '',
    Os: system,
    Arch: architecture,
    KernelVersion: os.release(),
    BuildTime: '',
  };
  const { Version, ...Details } = about;
  return {
    Platform: { Name: 'Lading' },
    Components: [{ Name: 'Engine', Version, Details: { ...Details, Experimental: 'false' } }],
    ...about,
  };
}

/** `GET /info`: the fields that the docker command prints, as they are for a server that only keeps images. */
export function infoOf({
  images,
  now,
  minor,
}: {
  readonly images: number;
  readonly now: number;
  readonly minor: number;
}): object {
  const { architecture } = hostPlatform();
  return {
    ID: os.hostname(),
    Containers: 0,
    ContainersRunning: 0,
    ContainersPaused: 0,
    ContainersStopped: 0,
    Images: images,
    Driver: 'lading',
    DriverStatus: [['Store', 'OCI image layout']],
    Plugins: { Volume: [], Network: [], Authorization: null, Log: [] },
    ...CAPABILITIES,
    ...(minor < 50 && { BridgeNfIptables: false, BridgeNfIp6tables: false }),
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: 0,
    SystemTime: new Date(now).toISOString(),
    LoggingDriver: '',
    CgroupDriver: 'none',
    KernelVersion: os.release(),
    OperatingSystem: `${os.type()} ${os.release()}`,
    OSVersion: '',
    OSType: 'linux',
    Architecture: architecture,
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: { InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'], IndexConfigs: HUB, Mirrors: [] },
    NCPU: os.availableParallelism(),
    MemTotal: os.totalmem(),
    GenericResources: null,
    DockerRootDir: '',
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: os.hostname(),
    Labels: [],
    ExperimentalBuild: false,
    ServerVersion: VERSION,
    Runtimes: {},
    DefaultRuntime: '',
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: false,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '', Expected: '' },
    RuncCommit: { ID: '', Expected: '' },
    InitCommit: { ID: '', Expected: '' },
    SecurityOptions: [],
    Warnings: ['WARNING: this is Lading: it keeps images and runs no containers'],
  };
}

/** Old clients warn where Docker Hub is not among the registries. */
const HUB = { 'docker.io': { Name: 'docker.io', Mirrors: [], Secure: true, Official: true } };

/** What an Engine with containers reports about its kernel. The docker command warns about fields that are false. */
const CAPABILITIES = {
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsPeriod: true,
  CpuCfsQuota: true,
  CPUShares: true,
  CPUSet: true,
  PidsLimit: true,
  IPv4Forwarding: true,
  OomKillDisable: false,
  Debug: false,
};
