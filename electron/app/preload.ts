import { contextBridge, ipcRenderer, webUtils } from 'electron';
import type { IpcBridge } from '../../shared/ipc.ts';
import { IPC_EVENTS, IPC_PATHS, IPC_REQUESTS } from '../../shared/ipc-channels.ts';

/** Carries messages and reads none: the main process parses what the window asks. */
const bridge: IpcBridge = {
  request: (request) => ipcRenderer.invoke(IPC_REQUESTS, request),
  listen(listener) {
    const onEvent = (_: unknown, message: unknown) => listener(message);
    ipcRenderer.on(IPC_EVENTS, onEvent);
    return () => ipcRenderer.removeListener(IPC_EVENTS, onEvent);
  },
  // The page hands over a file and never sees or names a path.
  open: (file) => ipcRenderer.invoke(IPC_PATHS, file instanceof File ? webUtils.getPathForFile(file) : ''),
};

contextBridge.exposeInMainWorld('lanyard', bridge);
