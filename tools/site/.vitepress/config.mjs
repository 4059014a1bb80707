import { readPages, siteFile, slugOf, titleOf } from '../pages.ts';
import { kinds, sidebarOf } from '../sidebar.ts';

const titles = new Map(readPages().map((page) => [page.name, titleOf(page)]));
const sections = sidebarOf(titles);

function linkTo(name) {
  return `/${siteFile(name).replace(/(index)?\.md$/, '')}`;
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
    search: {
      provider: 'local',
      // People search for what they want to do. VitePress takes the function's text: it stands alone.
      options: {
        miniSearch: {
          searchOptions: {
            boostDocument: (id) => {
              if (/\/(api|spec|decisions|playbooks)\//.test(id)) return 0.2;
              if (/\/(hostile-bus|rights|dependencies|nouns|rule-confidence|writing|architecture)\.html/.test(id)) return 0.4;
              return /\/(answering|slack|on-call|operations|troubleshooting|suppressions|freeze|way-out)\.html/.test(id) ? 2 : 1;
            },
          },
        },
      },
    },
    outline: [2, 3],
    nav: kinds.map((kind) => ({ text: kind.title, link: linkTo(kind.sections[0].pages[0]) })),
    sidebar: sections.map(({ title, collapsed, entries }) => ({
      text: title,
      collapsed: collapsed ?? false,
      items: entries.map((entry) => ({ text: entry.title, link: linkTo(entry.page) })),
    })),
  },
};
