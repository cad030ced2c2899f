import { LogOut } from 'lucide-react';
import { useFarm } from '../../store/farm-store.ts';
import { preferences, usePreference } from '../../store/preferences.ts';
import { controls, Segmented } from '../../ui/controls.tsx';
import page from '../../ui/page.module.css';
import css from './SettingsPage.module.css';

/** How the screen looks, and what it is connected to. @param onLeave forgets this tab's token; null where there is none to forget */
export function SettingsPage({ onLeave }: { readonly onLeave: (() => void) | null }) {
  const theme = usePreference((state) => state.theme);
  const density = usePreference((state) => state.density);
  const farm = useFarm((state) => state.farm);
  const version = useFarm((state) => state.version);
  const role = useFarm((state) => state.role);
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Settings</h1>
      </header>
      <section className={`${controls.panel} ${css.panel}`} aria-label="Look">
        <div className={controls.panelHead}>
          <h2>Look</h2>
        </div>
        <dl className={css.list}>
          <dt>Theme</dt>
          <dd>
            <Segmented
              label="Theme"
              value={theme}
              options={[
                { value: 'system', label: 'As the system' },
                { value: 'dark', label: 'Dark' },
                { value: 'light', label: 'Light' },
              ]}
              onChange={(next) => preferences.setState({ theme: next })}
            />
          </dd>
          <dt>Rows</dt>
          <dd>
            <Segmented
              label="Rows"
              value={density}
              options={[
                { value: 'comfortable', label: 'Comfortable' },
                { value: 'compact', label: 'Compact' },
              ]}
              onChange={(next) => preferences.setState({ density: next })}
            />
          </dd>
        </dl>
      </section>
      <section className={`${controls.panel} ${css.panel}`} aria-label="Connection">
        <div className={controls.panelHead}>
          <h2>Connection</h2>
          {onLeave !== null && (
            <button type="button" className={controls.button} onClick={onLeave}>
              <LogOut aria-hidden /> Forget the token
            </button>
          )}
        </div>
        <dl className={css.list}>
          <dt>Farm</dt>
          <dd>{farm?.name ?? '…'}</dd>
          <dt>Farm id</dt>
          <dd>
            <code>{farm?.id ?? '…'}</code>
          </dd>
          <dt>You are</dt>
          <dd>{role === null ? '…' : ROLE_WORDS[role]}</dd>
          <dt>Version</dt>
          <dd>{version ?? '…'}</dd>
        </dl>
      </section>
    </div>
  );
}

const ROLE_WORDS = {
  viewer: 'a viewer: you see everything and change nothing',
  submitter: 'a submitter: you submit jobs and change them',
  admin: 'an administrator: you may do everything',
  worker: 'a worker',
} as const;
