import { app, dialog, Menu, shell } from 'electron';

export interface MenuActions {
  open(page?: string): void;
  openFile(path: string): void;
  collectDiagnostics(): void;
  showLicences(): void;
  quit(): void;
}

/** The menu of the application: the bar of macOS, and the keys of the other systems. */
export function setMenu({ open, openFile, collectDiagnostics, showLicences, quit }: MenuActions): void {
  const isMac = process.platform === 'darwin';
  const chooseZip = async () => {
    const { filePaths } = await dialog.showOpenDialog({
      title: 'Open a Zip',
      properties: ['openFile'],
      filters: [{ name: 'Zip', extensions: ['zip'] }],
    });
    for (const path of filePaths) openFile(path);
  };
  const quitItem = { label: 'Quit Lanyard', accelerator: 'CommandOrControl+Q', click: quit };
  const appMenu: Electron.MenuItemConstructorOptions = {
    label: app.name,
    submenu: [
      { role: 'about' },
      { type: 'separator' },
      { label: 'Settings…', accelerator: 'Command+,', click: () => open('#/settings') },
      { type: 'separator' },
      { role: 'hide' },
      { role: 'hideOthers' },
      { role: 'unhide' },
      { type: 'separator' },
      quitItem,
    ],
  };
  Menu.setApplicationMenu(
    Menu.buildFromTemplate([
      ...(isMac ? [appMenu] : []),
      {
        label: '&File',
        submenu: [
          { label: 'Submit a Job…', accelerator: 'CommandOrControl+N', click: () => open('#/submit') },
          { label: 'Open a Zip…', accelerator: 'CommandOrControl+O', click: () => void chooseZip() },
          { type: 'separator' },
          { role: 'close' },
          ...(isMac ? [] : [{ type: 'separator' } as const, quitItem]),
        ],
      },
      { role: 'editMenu' },
      {
        label: '&View',
        submenu: [
          { label: 'Jobs', accelerator: 'CommandOrControl+1', click: () => open('#/jobs') },
          { label: 'Farm', accelerator: 'CommandOrControl+2', click: () => open('#/farm') },
          { type: 'separator' },
          { role: 'resetZoom' },
          { role: 'zoomIn' },
          { role: 'zoomOut' },
          { role: 'togglefullscreen' },
          ...(app.isPackaged ? [] : [{ role: 'toggleDevTools' } as const]),
        ],
      },
      { role: 'windowMenu' },
      {
        role: 'help',
        submenu: [
          { label: 'Show Log Files', click: () => void shell.openPath(app.getPath('logs')) },
          { label: 'Collect Diagnostics…', click: collectDiagnostics },
          { type: 'separator' },
          { label: 'Third-Party Licences', click: showLicences },
          ...(isMac ? [] : [{ role: 'about' } as const]),
        ],
      },
    ]),
  );
}
