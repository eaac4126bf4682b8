"""The page in a real browser: Chromium without a window."""

import base64
import contextlib
import io
import json
import shutil

import pytest
from hand_record import SUCCESS, record
from PIL import Image

from gslora_det.report import Run, render_report
from gslora_det.report.gallery import Gallery, Picture

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
    confusion={'x': {'s': 1}}, recall=dict(forgotten=RECALL, old=RECALL, retained=RECALL))

ATTACKS = [dict(
    task=2, attack='new head', setting='lr 0.01', detector=detector, x_title='epochs', chance=0.0,
    measures='AP_forgotten', finds_hidden=True,
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
    run = Run('by_hand', record(SUCCESS), Gallery(SUMMARY, PICTURES, 0.3, 3), attacks=ATTACKS)
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
    clip = "return getComputedStyle(document.querySelector('#run1-gallery .after')).clipPath"
    assert page.execute_script(clip) == 'inset(0px 0px 0px 0%)'  # labels are whole
    find(page, '.slider input').send_keys(Keys.ARROW_RIGHT * 3)
    assert page.execute_script(clip) == 'inset(0px 0px 0px 3%)'
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
    by_class.send_keys(Keys.HOME)
    by_fate.send_keys('kept')
    assert_shown(page, [1, 3])


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
