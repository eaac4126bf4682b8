"""The page in a real browser: Chromium without a window."""

import base64
import contextlib
import io
import json
import shutil

import pytest
from hand_record import ROLES, SCORES, SUCCESS, record
from PIL import Image

from gslora_det.reporting import Run, render_report
from gslora_det.reporting.gallery import Gallery, Picture

webdriver = pytest.importorskip('selenium.webdriver', reason='selenium is not installed')
if not (shutil.which('chromium') and shutil.which('chromedriver')):
    pytest.skip('Chromium and chromedriver are not installed', allow_module_level=True)
from selenium.common.exceptions import TimeoutException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402


def picture(name, *boxes):
    file = io.BytesIO()
    Image.new('RGB', (384, 384), 'teal').save(file, 'JPEG')
    uri = 'data:image/jpeg;base64,' + base64.b64encode(file.getvalue()).decode()
    return Picture(name, [*boxes], uri, uri, (384, 384))


PICTURES = [
    picture('1.png', ('x', 'renamed'), ('r', 'kept')), picture('2.png', ('r', 'lost')),
    picture('3.png', ('<script>', 'erased'), ('s', 'kept')),
]
RECALL = dict(objects=3, before=1.0, after=0.5)
SUMMARY = dict(
    roles=dict(forgotten={'erased': 1}, old={'renamed': 1}, retained={'kept': 2, 'lost': 1}),
    found=dict(forgotten=dict(before=1, own_name=0, other_name=0),
               old=dict(before=1, own_name=0, other_name=1),
               retained=dict(before=3, own_name=2, other_name=0)),
    confusion={'x': {'s': 1}}, recall=dict(forgotten=RECALL, old=RECALL, retained=RECALL))

ATTACKS = [dict(
    task=2, attack='new head', setting='lr 0.01', detector=detector, title='',
    x_title='epochs', chance=0.0, measures='AP_forgotten', finds_hidden=True,
    needs_original=False,
    curve=[dict(x=1, AP_forgotten=10.0), dict(x=20, AP_forgotten=40.0)])
    for detector in ('unlearned', 'oracle', 'head mask', 'original')]


@pytest.fixture(scope='module')
def browser():
    options = webdriver.ChromeOptions()
    for argument in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage'):
        options.add_argument(argument)
    options.binary_location = shutil.which('chromium')
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    service = webdriver.ChromeService(shutil.which('chromedriver'))
    driver = webdriver.Chrome(options, service)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser, tmp_path):
    run = Run('by_hand', record(SUCCESS), Gallery(SUMMARY, PICTURES, 0.3, 3, ROLES, SCORES),
              attacks=ATTACKS)
    file = tmp_path / 'report.html'
    file.write_text(render_report([run, run._replace(name='a' * 60)]), 'utf-8')
    browser.get(file.as_uri())
    return browser


def find(page, selector):
    return page.find_element(By.CSS_SELECTOR, '#run1-gallery ' + selector)


def shown(page):
    figures = page.find_elements(By.CSS_SELECTOR, '#run1-gallery figure')
    return [i for i, figure in enumerate(figures, 1) if figure.is_displayed()]


def assert_shown(page, images):
    """The page may take a moment to lay itself out."""
    with contextlib.suppress(TimeoutException):
        WebDriverWait(page, 10).until(lambda page: shown(page) == images)
    assert shown(page) == images


def test_no_errors_and_no_requests(page):
    messages = [json.loads(entry['message'])['message'] for entry in page.get_log('performance')]
    urls = {message['params']['request']['url'] for message in messages
            if message['method'] == 'Network.requestWillBeSent'}
    assert {url for url in urls if not url.startswith('data:')} == {page.current_url}
    assert page.get_log('browser') == []


def test_slider_moves_the_line_by_keyboard(page):
    clip = "return getComputedStyle(document.querySelector('#run1-gallery .after img')).clipPath"
    assert page.execute_script(clip) == 'inset(0px 0px 0px 50%)'
    find(page, '.slider input').send_keys(Keys.ARROW_RIGHT * 3)
    assert page.execute_script(clip) == 'inset(0px 0px 0px 53%)'
    find(page, '[name=all]').send_keys(Keys.END)
    assert page.execute_script(clip) == 'inset(0px 0px 0px 100%)'


def test_filters_work_alone_together_and_by_keyboard(page):
    assert_shown(page, [1, 2, 3])
    by_class, by_fate = find(page, '[name=class]'), find(page, '[name=fate]')
    by_class.send_keys('r')
    assert_shown(page, [1, 2])
    by_fate.send_keys('lost')
    assert_shown(page, [2])
    assert find(page, 'output').text == '1 of 3 images'
    by_class.send_keys('x')
    assert_shown(page, [])  # `x` is in image 1, but was not lost
    assert find(page, 'output').text == 'No image shows x lost: set one of the filters to “all”.'
    by_class.send_keys(Keys.HOME)
    by_fate.send_keys('kept')
    assert_shown(page, [1, 3])


def counts(page):
    return [item.text.split(': ')[1] for item in page.find_elements(
        By.CSS_SELECTOR, '#run1-thresholds .counts li')]


def row_of_r(page):
    return [cell.text for cell in page.find_elements(
        By.CSS_SELECTOR, '#run1-thresholds tbody tr:first-child td')]


def test_the_threshold_moves_by_keyboard(page):
    slider = page.find_element(By.CSS_SELECTOR, '#run1-thresholds input')
    assert counts(page) == [
        'the original finds 5, of these 5 are kept, 0 are lost.',
        'the original finds 3, of these 0 are still found under their own name, 3 are not.']
    # 3 of 4 are right above 0.3; now all 3 are, and 3 of 4 are above 0.20.
    assert row_of_r(page) == ['3', '75.0', '3', '100.0', '3', '0.20', '3']
    slider.send_keys(Keys.ARROW_RIGHT * 4)
    assert page.find_element(By.CSS_SELECTOR, '#run1-thresholds output').text == '0.5'
    assert slider.get_attribute('aria-valuetext') == '0.5'
    assert counts(page)[0] == 'the original finds 5, of these 2 are kept, 3 are lost.'
    slider.send_keys(Keys.ARROW_RIGHT * 3)  # above 0.65 the original makes no mistake
    assert row_of_r(page) == ['3', '100.0', '3', '—', '0', '0.30', '3']


def seen(page, selector):
    return [each.is_displayed() for each in page.find_elements(By.CSS_SELECTOR, selector)]


def side_by_side(page):
    """Whether both layers of the first picture are seen whole, the one beside the other."""
    before, now = (find(page, f'.{moment} img') for moment in ('before', 'after'))
    clip = page.execute_script('return getComputedStyle(arguments[0]).clipPath', now)
    return (now.rect['x'] >= before.rect['x'] + before.rect['width'] and clip == 'none'
            and now.rect['y'] == before.rect['y'])


def test_without_script_it_shows_the_default_threshold_and_pictures_side_by_side(page):
    assert not side_by_side(page) and all(seen(page, '.thresholds input, .filters'))
    page.execute_cdp_cmd('Emulation.setScriptExecutionDisabled', dict(value=True))
    try:
        page.refresh()
        text = page.find_element(By.ID, 'run1-thresholds').text
        assert 'Above a score of 0.3:' in text and '5 are kept, 0 are lost' in text
        assert not any(seen(page, '.thresholds input, .filters'))
        assert '\nBefore\nNow\n' in page.find_element(By.ID, 'run1-gallery').text
    finally:
        page.execute_cdp_cmd('Emulation.setScriptExecutionDisabled', dict(value=False))
    page.refresh()
    assert not side_by_side(page)


def test_on_paper_all_is_open_and_nothing_is_to_be_moved(page):
    page.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(media='print', features=[
        dict(name='prefers-color-scheme', value='dark')]))
    try:
        assert side_by_side(page) and not any(seen(page, '.thresholds input, .filters, nav'))
        folded = page.find_elements(By.CSS_SELECTOR, 'details table')
        assert folded and all(page.execute_script('return arguments[0].checkVisibility()', each)
                              for each in folded)
        assert all(seen(page, '.requests li'))
        background = page.execute_script(
            "return getComputedStyle(document.body)['background-color']")
        assert background == 'rgb(255, 255, 255)'
        head = page.execute_script(
            'return [...document.styleSheets[0].cssRules].filter(x => x.type === 6).map('
            'x => [...x.cssRules].map(y => y.cssText).join()).join()')
        assert 'Comparison of 2 runs: by_hand' in head and 'counter(pages)' in head
    finally:
        page.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(media='', features=[]))


@pytest.mark.parametrize('theme, dark', [('light', False), ('dark', True)])
@pytest.mark.parametrize('width', [400, 1600])
def test_fits_the_window_in_both_themes(page, theme, dark, width):
    page.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', dict(
        width=width, height=900, deviceScaleFactor=1, mobile=False))
    page.execute_cdp_cmd('Emulation.setEmulatedMedia', dict(
        features=[dict(name='prefers-color-scheme', value=theme)]))
    assert page.execute_script('return innerWidth') == width
    assert page.execute_script(
        'const { scrollWidth, clientWidth } = document.documentElement;'
        'return scrollWidth <= clientWidth')
    colours = page.execute_script(
        "return ['background-color', 'color'].map(x => getComputedStyle(document.body)[x])")
    paper, ink = (sum(map(int, colour[4:-1].split(', '))) for colour in colours)
    assert (paper < ink) == dark and abs(paper - ink) > 500
