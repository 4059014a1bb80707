import { readPages, siteFile, slugOf, titleOf } from '../pages.ts';
import { kinds, pagesOf, sectionsOf } from '../sidebar.ts';

const pages = new Map(readPages().map((page) => [page.name, page]));

function item(name) {
  return { text: titleOf(pages.get(name)), link: `/${siteFile(name).replace(/(index)?\.md$/, '')}` };
}

/** Vue interprets double braces, even in a ticket's placeholders. */
function withoutBraces(html) {
  return html.replaceAll('{{', '&#123;&#123;').replaceAll('}}', '&#125;&#125;');
}

export default {
  title: 'Firebreak',
  description: 'Automated, durable response to container runtime security alerts',
  srcDir: 'pages',
  outDir: 'dist',
  cacheDir: 'node_modules/.vitepress',
  cleanUrls: false,
  // GitHub's anchors, so that one link works in both places.
  markdown: {
    html: false,
    attrs: { disable: true },
    anchor: { slugify: slugOf },
    config(md) {
      for (const rule of ['text', 'code_inline']) {
        const before = md.renderer.rules[rule];
        md.renderer.rules[rule] = (...given) => withoutBraces(before(...given));
      }
      const fence = md.renderer.rules.fence;
      md.renderer.rules.fence = (tokens, index, ...rest) => {
        const { info, content } = tokens[index];
        return info.trim() === 'mermaid'
          ? `<pre class="mermaid" v-pre>${md.utils.escapeHtml(content)}</pre>`
          : fence(tokens, index, ...rest);
      };
    },
  },
  vite: { build: { chunkSizeWarningLimit: 2_000 } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: kinds.map(({ title, sections }) => ({ text: title, link: item(pagesOf(sections[0], [...pages.keys()])[0]).link })),
    sidebar: sectionsOf([...pages.keys()]).map(({ title, collapsed, pages: placed }) => ({
      text: title,
      collapsed: collapsed ?? false,
      items: placed.map(item),
    })),
  },
};
