'use strict';
for (const gallery of document.querySelectorAll('.gallery')) {
  const [byClass, byFate] = gallery.querySelectorAll('select');
  const all = gallery.querySelector('[name=all]');
  const figures = [...gallery.querySelectorAll('figure')];
  for (const figure of figures) {
    const range = figure.querySelector('input');
    const slide = () => figure.style.setProperty('--cut', range.value + '%');
    range.addEventListener('input', slide);
    all.addEventListener('input', () => { range.value = all.value; slide(); });
  }
  const filter = () => {
    for (const figure of figures) {
      figure.hidden = !JSON.parse(figure.dataset.boxes).some(([name, fate]) =>
        (!byClass.value || name === byClass.value) && (!byFate.value || fate === byFate.value));
    }
    const shown = figures.filter(figure => !figure.hidden).length;
    gallery.querySelector('output').value = `${shown} of ${figures.length} images`;
  };
  byClass.addEventListener('change', filter);
  byFate.addEventListener('change', filter);
}
