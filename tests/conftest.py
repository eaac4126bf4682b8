def pytest_configure(config):
    # Importing it takes ten seconds, which pytest-xdist would spend before its workers start.
    if not config.getoption('numprocesses', None):
        config.pluginmanager.import_plugin('support')
