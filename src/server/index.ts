export { auditLine, type Audit, type AuditRecord } from './audit.js';
export { EngineServer, type ServerOptions } from './engine-server.js';
export type { ListenAddress, TlsFiles } from './listeners.js';
