/**
 * Loaded before the app: keeps what a person would see outside of the windows, where a test can look at it. Nothing of
 * what the app does is changed.
 */
const { Tray, Notification } = require('electron');

const seen = { trayMenu: null, trayTitle: '', notifications: [] };
globalThis.lanyardSeen = seen;

const { setContextMenu, setToolTip } = Tray.prototype;
Tray.prototype.setContextMenu = function (menu) {
  seen.trayMenu = menu;
  return setContextMenu.call(this, menu);
};
Tray.prototype.setToolTip = function (text) {
  seen.trayTitle = text;
  return setToolTip.call(this, text);
};
const { show } = Notification.prototype;
Notification.prototype.show = function () {
  seen.notifications.push(this);
  return show.call(this);
};
