import { Bell } from 'lucide-react';
import { useState } from 'react';
import { preferences, usePreference } from '../../store/preferences.ts';
import { controls } from '../../ui/controls.tsx';
import { Panel } from './Panel.tsx';
import css from './SettingsPage.module.css';

/** Whether this browser says that a job has ended. It is asked by a click only. */
export function Notifications() {
  const wanted = usePreference((state) => state.notify);
  const [permission, setPermission] = useState<NotificationPermission | 'none'>(() =>
    typeof Notification === 'undefined' ? 'none' : Notification.permission,
  );
  const isOn = wanted && permission === 'granted';
  const turnOn = async () => {
    const answer = await Notification.requestPermission();
    setPermission(answer);
    preferences.setState({ notify: answer === 'granted' });
  };
  return (
    <Panel title="Notifications">
      <div className={css.line}>
        {isOn ? (
          <button type="button" className={controls.button} onClick={() => preferences.setState({ notify: false })}>
            <Bell aria-hidden /> Turn off
          </button>
        ) : (
          <button
            type="button"
            className={controls.button}
            disabled={permission === 'none' || permission === 'denied'}
            onClick={() => void turnOn()}
          >
            <Bell aria-hidden /> Tell me when a job ends
          </button>
        )}
        <span className={css.soft} role="status">
          {NOTES[isOn ? 'on' : permission]}
        </span>
      </div>
    </Panel>
  );
}

const NOTES: Readonly<Record<'on' | 'none' | NotificationPermission, string>> = {
  on: 'This browser says when a job ends that ran while this window was open.',
  none: 'This browser gives no notifications to a page that came over plain HTTP from another machine.',
  denied: 'This browser forbids them; its settings for this page can change that.',
  default: 'The browser asks whether this page may.',
  granted: 'Off.',
};
