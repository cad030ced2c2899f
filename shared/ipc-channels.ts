/** The channels of `ipc.ts`, apart from its schemas: the preload carries messages and reads none. */
export const IPC_REQUESTS = 'lanyard:request';
export const IPC_EVENTS = 'lanyard:event';
/** The path of a file that the preload itself asked the system for. */
export const IPC_PATHS = 'lanyard:path';
