for (const range of document.querySelectorAll('.slider input')) {
  range.addEventListener('input', () =>
    range.parentElement.style.setProperty('--cut', range.value + '%'));
}
for (const gallery of document.querySelectorAll('.gallery')) {
  const [byClass, byFate] = gallery.querySelectorAll('select');
  const all = gallery.querySelector('[name=all]');
  const figures = [...gallery.querySelectorAll('figure')];
  all.addEventListener('input', () => {
    for (const range of gallery.querySelectorAll('.slider input')) {
      range.value = all.value;
      range.dispatchEvent(new Event('input'));
    }
  });
  const filter = () => {
    for (const figure of figures) {
      figure.hidden = !JSON.parse(figure.dataset.boxes).some(([name, fate]) =>
        (!byClass.value || name === byClass.value) && (!byFate.value || fate === byFate.value));
    }
    const shown = figures.filter(figure => !figure.hidden).length;
    gallery.querySelector('output').value = shown ? `${shown} of ${figures.length} images` :
      `No image shows ${byClass.value || 'an object'} ${byFate.value}: set one of the filters to “all”.`;
  };
  byClass.addEventListener('change', filter);
  byFate.addEventListener('change', filter);
}
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) details.open = true;
});
