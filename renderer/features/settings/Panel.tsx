import type { ReactNode } from 'react';
import { controls } from '../../ui/controls.tsx';
import css from './SettingsPage.module.css';
import { useSection } from './sections.tsx';

interface PanelProps {
  readonly title: string;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** One part of the settings. */
export function Panel({ title, actions, children }: PanelProps) {
  const element = useSection(title);
  return (
    <section ref={element} className={`${controls.panel} ${css.panel}`} aria-label={title} tabIndex={-1}>
      <div className={controls.panelHead}>
        <h2>{title}</h2>
        {actions}
      </div>
      {children}
    </section>
  );
}
