import { LogOut } from 'lucide-react';
import { useState } from 'react';
import { useClient } from '../../client/client.ts';
import type { Desktop } from '../../client/ipc-client.ts';
import { useFarm, useMayAdminister } from '../../store/farm-store.ts';
import { preferences, usePreference } from '../../store/preferences.ts';
import { controls, Segmented } from '../../ui/controls.tsx';
import page from '../../ui/page.module.css';
import { Admissions } from './Admissions.tsx';
import { AuditLog } from './AuditLog.tsx';
import { DesktopPanel } from './DesktopPanel.tsx';
import { Devices } from './Devices.tsx';
import { Engines } from './Engines.tsx';
import { FairShare } from './FairShare.tsx';
import { Findings } from './Findings.tsx';
import { OpenInvites } from './Invites.tsx';
import { Notifications } from './Notifications.tsx';
import { OwnEngine } from './OwnEngine.tsx';
import { OwnerPanel } from './OwnerPanel.tsx';
import { Panel } from './Panel.tsx';
import { ROLE_WORDS } from './roles.tsx';
import css from './SettingsPage.module.css';
import { AnnounceSection, SectionList, useSections } from './sections.tsx';
import { Tokens } from './Tokens.tsx';

/** How the screen looks, what it is connected to, and who may do what. @param onLeave forgets this tab's token; null where there is none to forget */
export function SettingsPage({ onLeave }: { readonly onLeave: (() => void) | null }) {
  const mayAdminister = useMayAdminister();
  const [changes, setChanges] = useState(0);
  const client = useClient();
  const [sections, announce] = useSections();
  const desktop = 'desktop' in client ? (client.desktop as Desktop) : null;
  return (
    <div className={page.page}>
      <header className={page.head}>
        <h1>Settings</h1>
      </header>
      <div className={css.settings}>
        <SectionList sections={sections} />
        <AnnounceSection value={announce}>
          <div className={css.columns}>
            <div className={css.column}>
              {mayAdminister && <Admissions onChanged={() => setChanges(changes + 1)} />}
              <Devices revision={changes} />
              {mayAdminister && <OpenInvites />}
              {mayAdminister && <Tokens />}
            </div>
            <div className={css.column}>
              <Look />
              {desktop === null ? <Notifications /> : <DesktopPanel desktop={desktop} />}
              {desktop !== null && <OwnEngine desktop={desktop} />}
              {desktop !== null && <OwnerPanel desktop={desktop} />}
              {desktop !== null && <Findings machine="this machine" examine={desktop.examine} />}
              {desktop === null && mayAdminister && (
                <Findings machine="the coordinator’s machine" examine={async () => (await client.call('doctor')).findings} />
              )}
            </div>
            <div className={css.column}>
              <Connection onLeave={onLeave} />
              <FairShare />
              <Engines />
              {mayAdminister && <AuditLog />}
            </div>
          </div>
        </AnnounceSection>
      </div>
    </div>
  );
}

function Look() {
  const theme = usePreference((state) => state.theme);
  const density = usePreference((state) => state.density);
  return (
    <Panel title="Look">
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
    </Panel>
  );
}

function Connection({ onLeave }: { readonly onLeave: (() => void) | null }) {
  const farm = useFarm((state) => state.farm);
  const version = useFarm((state) => state.version);
  const role = useFarm((state) => state.role);
  return (
    <Panel
      title="Connection"
      actions={
        onLeave !== null && (
          <button type="button" className={controls.button} onClick={onLeave}>
            <LogOut aria-hidden /> Forget the token
          </button>
        )
      }
    >
      <dl className={css.list}>
        <dt>Farm</dt>
        <dd>{farm?.name ?? '…'}</dd>
        <dt>Farm id</dt>
        <dd>
          <code>{farm?.id ?? '…'}</code>
        </dd>
        <dt>You are</dt>
        <dd>{role === null ? '…' : `${ROLE_WORDS[role].is}, who ${ROLE_WORDS[role].may}`}</dd>
        <dt>Version</dt>
        <dd>{version ?? '…'}</dd>
      </dl>
    </Panel>
  );
}
