// Opens pages in Chromium: screenshots in light and dark at two widths, a PDF, and what axe finds.
// Usage: node pages.js MODULES CHROMIUM FOLDER PAGE...   (MODULES holds playwright-core and axe-core)
const fs = require('fs');
const path = require('path');

const [modules, executablePath, folder, ...pages] = process.argv.slice(2);
const { chromium } = require(path.join(modules, 'playwright-core'));
const axe = fs.readFileSync(path.join(modules, 'axe-core', 'axe.min.js'), 'utf8');

async function examine(browser, file, colorScheme, width) {
  // axe is a script, which the page's own policy forbids.
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
  const page = await context.newPage();
  const requests = [];
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(`file://${file}`);
  const name = path.basename(file, '.html');
  await page.screenshot({ path: path.join(folder, `${name}-${colorScheme}-${width}.png`), fullPage: true });
  await page.addScriptTag({ content: axe });
  const found = await page.evaluate(() => axe.run(document));
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await context.close();
  console.log(`${name} ${colorScheme} ${width}: ${found.violations.length} findings, ${beyond} px too wide, ` +
    `${requests.length - 1} requests`);
  for (const one of found.violations) {
    console.log(`  ${one.impact}: ${one.help} (${one.nodes.length}), such as ${one.nodes[0].html.slice(0, 120)}`);
  }
  return found.violations.length + (beyond > 0) + (requests.length > 1);
}

(async () => {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
  const browser = await chromium.launch({ executablePath, args });
  let findings = 0;
  for (const file of pages) {
    for (const scheme of ['light', 'dark']) {
      for (const width of [400, 1280]) findings += await examine(browser, file, scheme, width);
    }
    const page = await browser.newPage();
    await page.goto(`file://${file}`);
    await page.pdf({ path: path.join(folder, `${path.basename(file, '.html')}.pdf`), preferCSSPageSize: true });
    await page.close();
  }
  await browser.close();
  console.log(`${findings} findings in ${pages.length} pages`);
  process.exitCode = findings ? 1 : 0;
})();
