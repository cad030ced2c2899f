import './client/zod-setup.ts';
import './ui/tokens.css';
import './ui/base.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app/App.tsx';
import { takeToken } from './client/session.ts';
import { startPreferences } from './store/preferences.ts';

startPreferences();
// Before the first drawing, which comes later than the page is loaded: the address may have changed by then.
takeToken();
createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
