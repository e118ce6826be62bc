// Draws predicted against measured, a panel for each group of rows:
//
//   orrery validate gemm.csv --format json | node accuracy_plot.mjs ECHARTS TITLE >gemm.svg
//
// ECHARTS is the library, as tools/fetch makes it. Rows are counted in cells of
// a twelfth of a decade, the darker the more; the lines are equality and
// 20 % to each side. The same rows give the same picture.
import {readFileSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {resolve} from 'node:path';

const [library, title] = process.argv.slice(2);
const echarts = createRequire(import.meta.url)(resolve(library));
const {groups, rows} = JSON.parse(readFileSync(0, 'utf8'));

const perDecade = 12, columns = 4, panel = 230, margin = 50;
const cellOf = (value) => Math.floor(Math.log10(value) * perDecade);
const middleOf = (cell) => 10 ** ((cell + 0.5) / perDecade);

// [measured, predicted, rows] of each cell that has any.
function cellsOf(group) {
  const counts = new Map();
  for (const row of rows) {
    if (row.group !== group || !row.ok || !row.scored) continue;
    const key = `${cellOf(row.measured)} ${cellOf(row.predicted)}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].map(([key, count]) => {
    const [x, y] = key.split(' ').map(Number);
    return [middleOf(x), middleOf(y), count];
  });
}

const shown = groups.filter((group) => group.modelled > 0);
const option = {
  animation: false,
  backgroundColor: '#fff',
  title: [{text: title, left: 'center', textStyle: {fontSize: 15}}],
  grid: [], xAxis: [], yAxis: [], series: [],
};
shown.forEach((group, i) => {
  const left = margin + (i % columns) * (panel + margin);
  const top = 2 * margin + Math.floor(i / columns) * (panel + 1.6 * margin);
  const cells = cellsOf(group.group);
  const values = cells.flatMap(([x, y]) => [x, y]);
  const min = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const max = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const most = Math.max(...cells.map((cell) => cell[2]));
  const axis = {
    type: 'log', gridIndex: i, min, max,
    axisLabel: {fontSize: 9, hideOverlap: true}, splitLine: {lineStyle: {color: '#eee'}},
  };
  option.title.push({
    text: `${group.group}\n${group.modelled} rows, MAPE ${(100 * group.mean_error).toFixed(1)} %`,
    left: left, top: top - 40, textStyle: {fontSize: 11, fontWeight: 'normal'},
  });
  option.grid.push({left, top, width: panel - 10, height: panel - 10});
  option.xAxis.push(axis);
  option.yAxis.push(axis);
  option.series.push({
    type: 'scatter', xAxisIndex: i, yAxisIndex: i, symbol: 'rect', symbolSize: 5, silent: true,
    data: cells.map(([x, y, count]) => ({
      value: [x, y],
      itemStyle: {color: '#1f4e8c', opacity: 0.25 + 0.75 * Math.log1p(count) / Math.log1p(most)},
    })),
  });
  for (const [ratio, color] of [[1, '#444'], [1.2, '#bbb'], [1 / 1.2, '#bbb']]) {
    option.series.push({
      type: 'line', xAxisIndex: i, yAxisIndex: i, symbol: 'none', silent: true,
      lineStyle: {width: 1, color}, clip: true,
      data: [[min, min * ratio], [max, max * ratio]],
    });
  }
});
const chart = echarts.init(null, null, {
  renderer: 'svg', ssr: true,
  width: margin + columns * (panel + margin),
  height: 2 * margin + Math.ceil(shown.length / columns) * (panel + 1.6 * margin),
});
chart.setOption(option);
writeFileSync(1, chart.renderToSVGString() + '\n');
process.exit();  // the library leaves timers behind
