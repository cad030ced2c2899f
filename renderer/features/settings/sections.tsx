import { createContext, type RefObject, useCallback, useContext, useEffect, useRef, useState } from 'react';
import { hrefOf } from '../../app/router.ts';
import { controls } from '../../ui/controls.tsx';
import css from './SettingsPage.module.css';

export interface Section {
  readonly title: string;
  readonly element: HTMLElement;
}

/** Tells the page that there is such a section. @returns takes it back */
type Announce = (section: Section) => () => void;

export const AnnounceSection = createContext<Announce>(() => () => {});

/** The sections that are on the page, as they stand there. Which there are depends on who looks, and on which machine. */
export function useSections(): readonly [readonly Section[], Announce] {
  const [sections, setSections] = useState<readonly Section[]>([]);
  const announce = useCallback<Announce>((section) => {
    setSections((before) => [...before, section].sort(byPlace));
    return () => setSections((before) => before.filter((one) => one !== section));
  }, []);
  return [sections, announce];
}

/** For the element of a section of the settings. */
export function useSection(title: string): RefObject<HTMLElement | null> {
  const element = useRef<HTMLElement>(null);
  const announce = useContext(AnnounceSection);
  useEffect(() => announce({ title, element: element.current as HTMLElement }), [announce, title]);
  return element;
}

function byPlace(one: Section, other: Section): number {
  return one.element.compareDocumentPosition(other.element) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1;
}

/** The way to each section; those in sight are marked. */
export function SectionList({ sections }: { readonly sections: readonly Section[] }) {
  const inSight = useInSight(sections);
  return (
    <nav className={css.sections} aria-label="Sections of the settings">
      {sections.map((section) => (
        <a
          key={section.title}
          href={hrefOf({ name: 'settings' })}
          className={controls.quiet}
          data-in-sight={inSight.has(section.element)}
          onClick={(event) => {
            event.preventDefault();
            section.element.scrollIntoView();
            // Whoever goes on by keyboard goes on from there.
            section.element.focus({ preventScroll: true });
          }}
        >
          {section.title}
        </a>
      ))}
    </nav>
  );
}

function useInSight(sections: readonly Section[]): ReadonlySet<Element> {
  const [inSight, setInSight] = useState<ReadonlySet<Element>>(new Set());
  useEffect(() => {
    const observer = new IntersectionObserver((entries) =>
      setInSight((before) => {
        const now = new Set(before);
        for (const { target, isIntersecting } of entries) {
          if (isIntersecting) now.add(target);
          else now.delete(target);
        }
        return now;
      }),
    );
    for (const { element } of sections) observer.observe(element);
    return () => observer.disconnect();
  }, [sections]);
  return inSight;
}
