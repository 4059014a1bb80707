/** The default theme with diagrams: only pages that have one load their library. */

import { useData, useRoute, withBase } from 'vitepress';
import DefaultTheme from 'vitepress/theme';
import './style.css';
import { nextTick, onMounted, watch } from 'vue';

let loaded;

function loadMermaid() {
  loaded ??= new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement('script'), { src: withBase('/mermaid.js'), onerror: reject });
    script.onload = () => resolve(globalThis.mermaid);
    document.head.append(script);
  });
  return loaded;
}

let drawn = 0;

async function drawDiagrams(isDark) {
  await nextTick();
  const nodes = [...document.querySelectorAll('pre.mermaid')];
  if (nodes.length === 0) return;
  const mermaid = await loadMermaid();
  mermaid.initialize({
    startOnLoad: false,
    htmlLabels: false,
    flowchart: { htmlLabels: false },
    theme: isDark ? 'dark' : 'default',
  });
  for (const node of nodes) {
    // Redrawn when the colours change. The ids are ours: the library uses the time, which two diagrams can share.
    node.dataset.source ??= node.textContent;
    drawn += 1;
    const { svg } = await mermaid.render(`diagram-${drawn}`, node.dataset.source);
    node.innerHTML = svg;
    node.style.setProperty('--drawn-width', `${node.firstElementChild.viewBox.baseVal.width}px`);
  }
}

export default {
  extends: DefaultTheme,
  setup() {
    const route = useRoute();
    const { isDark } = useData();
    onMounted(() => drawDiagrams(isDark.value));
    watch([() => route.path, isDark], () => drawDiagrams(isDark.value), { flush: 'post' });
  },
};
