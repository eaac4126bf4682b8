for (const part of document.querySelectorAll('.thresholds')) {
  const range = part.querySelector('input');
  const changing = [...part.querySelectorAll('[data-values]')].map(
    element => [element, JSON.parse(element.dataset.values)]);
  range.oninput = () => {
    for (const [element, values] of changing) element.textContent = values[range.value];
    range.ariaValueText = part.querySelector('output').textContent;
  };
  range.parentElement.hidden = false;
}
