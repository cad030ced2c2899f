const KEY = 'lanyard-token';

/**
 * The token of this tab. One that comes in the address (`#token=...`) is kept for the tab's life and taken out of the address and
 * out of the history, so that it is not shown, bookmarked or shared by accident.
 */
export function takeToken(): string | null {
  const match = /^#token=([A-Za-z0-9_-]+)$/.exec(location.hash);
  if (match?.[1] !== undefined) {
    keepToken(match[1]);
    history.replaceState(null, '', `${location.pathname}#/`);
  }
  return sessionStorage.getItem(KEY);
}

export function keepToken(token: string): void {
  sessionStorage.setItem(KEY, token);
}

export function forgetToken(): void {
  sessionStorage.removeItem(KEY);
}
