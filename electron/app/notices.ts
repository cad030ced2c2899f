import { Notification } from 'electron';
import type { JobView } from '../../shared/view.ts';
import { endNotice, type NoticeText } from './texts.ts';

/** Jobs that end within this time of the first are told in one notice (ms). */
const TOGETHER_MS = 1_500;
/** Notices that may be clicked still; an older one is let go. */
const KEPT = 8;

export interface Notices {
  show(notice: NoticeText): void;
  jobEnded(job: JobView): void;
}

/** Tells what happened while nobody looked. @param open shows the page that a notice is about */
export function createNotices(open: (page: string) => void): Notices {
  // A notification that is collected can no longer be clicked.
  const kept: Notification[] = [];
  let ended: JobView[] = [];
  const show = ({ title, body, page }: NoticeText) => {
    if (!Notification.isSupported()) return;
    const notification = new Notification({ title, body });
    notification.on('click', () => open(page));
    kept.push(notification);
    if (kept.length > KEPT) kept.shift();
    notification.show();
  };
  return {
    show,
    jobEnded(job) {
      if (ended.length === 0)
        setTimeout(() => {
          show(endNotice(ended));
          ended = [];
        }, TOGETHER_MS);
      ended.push(job);
    },
  };
}
