import { contextBridge, ipcRenderer } from 'electron';
import type { IpcBridge } from '../../shared/ipc.ts';
import { IPC_EVENTS, IPC_REQUESTS } from '../../shared/ipc-channels.ts';

/** Carries messages and reads none: the main process parses what the window asks. */
const bridge: IpcBridge = {
  request: (request) => ipcRenderer.invoke(IPC_REQUESTS, request),
  listen(listener) {
    const onEvent = (_: unknown, message: unknown) => listener(message);
    ipcRenderer.on(IPC_EVENTS, onEvent);
    return () => ipcRenderer.removeListener(IPC_EVENTS, onEvent);
  },
};

contextBridge.exposeInMainWorld('lanyard', bridge);
