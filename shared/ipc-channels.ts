/** The two channels of `ipc.ts`, apart from its schemas: the preload carries messages and reads none. */
export const IPC_REQUESTS = 'lanyard:request';
export const IPC_EVENTS = 'lanyard:event';
