import type { ROUTES } from '../../../shared/api.ts';
import { renderTemplate } from '../../../shared/template-render.ts';
import type { ApiContext } from '../context.ts';
import type { HandlersOf } from '../route-types.ts';

type Names = 'listTemplates' | 'getTemplate' | 'putTemplate' | 'removeTemplate' | 'renderTemplate';

export function templateHandlers({ templates }: ApiContext): HandlersOf<Pick<typeof ROUTES, Names>> {
  return {
    listTemplates: async () => ({ templates: [...(await templates.list())] }),
    getTemplate: ({ params }) => templates.get(params.template),
    putTemplate: ({ params, body }) => templates.put(params.template, body),
    async removeTemplate({ params }) {
      await templates.remove(params.template);
      return { ok: true };
    },
    renderTemplate: async ({ params, body }) => renderTemplate(params.template, await templates.get(params.template), body),
  };
}
