import type { ReactNode } from 'react';
import { controls } from '../../ui/controls.tsx';
import css from './SettingsPage.module.css';

interface PanelProps {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** One part of the settings. */
export function Panel({ title, actions, children }: PanelProps) {
  return (
    <section className={`${controls.panel} ${css.panel}`} aria-label={title}>
      <div className={controls.panelHead}>
        <h2>{title}</h2>
        {actions}
      </div>
      {children}
    </section>
  );
}
