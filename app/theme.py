"""Light and dark: two sets of colours for one style. Label colours are not among them.

The style sheet names places in the palette, not colours, and is set once: Qt would dress every
widget again for each widget around it, five times on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPalette, QPixmapCache
from PySide6.QtWidgets import QApplication

from app.icons import FOLDER


@dataclass(frozen=True)
class Colors:
    """The colours of a theme, as #rrggbb."""

    window: str
    base: str
    raised: str  # buttons
    hover: str
    line: str
    backdrop: str  # around the canvas and the picture
    text: str
    faint: str
    accent: str
    accent_hover: str
    on_accent: str
    warning: str
    on_warning: str


LIGHT = Colors(
    window="#f3f4f6",
    base="#ffffff",
    raised="#fcfcfd",
    hover="#e4e8ec",
    line="#d0d5db",
    backdrop="#dfe2e6",
    text="#20252b",
    faint="#5c6570",
    accent="#0d7a8c",
    accent_hover="#0a8092",
    on_accent="#ffffff",
    warning="#fdecd8",
    on_warning="#6b3a06",
)
DARK = Colors(
    window="#25282d",
    base="#1c1f23",
    raised="#31353b",
    hover="#3a3f46",
    line="#3d424a",
    backdrop="#17191c",
    text="#e5e8ec",
    faint="#959da8",
    accent="#2fa3b8",
    accent_hover="#3bb5cb",
    on_accent="#06181c",
    warning="#45331d",
    on_warning="#f5d7ae",
)

Role = QPalette.ColorRole
PLACES = {  # of each colour: its name in a style sheet, and the roles that it plays
    "window": ("window", [Role.Window]),
    "base": ("base", [Role.Base, Role.ToolTipBase]),
    "raised": ("button", [Role.Button]),
    "hover": ("midlight", [Role.Midlight, Role.AlternateBase]),
    "line": ("mid", [Role.Mid]),
    "backdrop": ("dark", [Role.Dark]),
    "text": ("text", [Role.Text, Role.WindowText, Role.ButtonText, Role.ToolTipText]),
    "faint": ("placeholder-text", [Role.PlaceholderText]),
    "accent": ("accent", [Role.Accent, Role.Highlight, Role.Link]),
    "on_accent": ("highlighted-text", [Role.HighlightedText]),
    # in roles that nothing else in the program plays
    "accent_hover": ("link-visited", [Role.LinkVisited]),
    "warning": ("bright-text", [Role.BrightText]),
    "on_warning": ("shadow", [Role.Shadow]),
}

STYLE = Template("""
QMainWindow::separator { background: $window; width: 6px; height: 6px; }
QDockWidget { titlebar-close-icon: none; titlebar-normal-icon: none; }
QDockWidget::title { background: $window; padding: 7px 4px 5px 0px; text-align: left; }
QToolBar { background: $window; border: none; padding: 3px; spacing: 3px; }
QToolBar::separator { background: $line; margin: 6px; width: 1px; height: 1px; }
QStatusBar { border-top: 1px solid $line; }
QStatusBar::item { border: none; }
QMenuBar { background: $window; padding: 2px 4px; }
QToolTip { background: $base; color: $text; border: 1px solid $line; padding: 4px 6px; }
QToolButton { border: none; border-radius: 5px; padding: 5px; }
QToolButton:hover { background: $hover; }
QToolButton:pressed { background: $line; }
QToolButton:checked { background: $accent; color: $on_accent; }
QToolButton:focus { border: 1px solid $accent; padding: 4px; }
QPushButton { background: $raised; border: 1px solid $line; border-radius: 5px;
              padding: 6px 14px; }
QPushButton:hover { background: $hover; }
QPushButton:focus { border-color: $accent; }
QPushButton:checked { background: $accent; border-color: $accent; color: $on_accent; }
QPushButton:disabled { color: $faint; }
QPushButton#primary { background: $accent; border-color: $accent; color: $on_accent;
                      font-weight: 600; padding: 8px 14px; }
QPushButton#primary:hover { background: $accent_hover; }
QPushButton#primary:focus { border-color: $text; }
QPushButton#primary:disabled { background: $hover; border-color: $line; color: $faint; }
QPushButton#quiet { padding: 8px 14px; }
QSlider::groove:horizontal { background: $line; height: 4px; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal { background: $accent; width: 14px; height: 14px; margin: -5px 0;
                             border-radius: 7px; }
QSlider::handle:horizontal:hover { background: $accent_hover; }
QSlider::handle:horizontal:focus { border: 2px solid $text; width: 10px; height: 10px; }
QProgressBar { background: $hover; border: none; border-radius: 3px;
               min-height: 6px; max-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
QLineEdit, QSpinBox, QComboBox { background: $base; border: 1px solid $line; border-radius: 5px;
                                 padding: 3px 6px; min-height: 20px;
                                 selection-background-color: $accent; }
QComboBox { background: $raised; }
QComboBox:hover { background: $hover; }
QLineEdit:focus, QSpinBox:focus, QComboBox:focus { border-color: $accent; }
QSpinBox { padding: 3px 18px 3px 4px; }
QSpinBox::up-button, QSpinBox::down-button { subcontrol-origin: border; width: 18px;
                                             border: none; background: transparent; }
QSpinBox::up-button { subcontrol-position: top right; }
QSpinBox::down-button { subcontrol-position: bottom right; }
QSpinBox::up-button:hover, QSpinBox::down-button:hover { background: $hover; border-radius: 4px; }
QSpinBox::up-arrow { image: url("$icons/arrow-up.svg"); width: 12px; height: 12px; }
QSpinBox::down-arrow { image: url("$icons/arrow-down.svg"); width: 12px; height: 12px; }
QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url("$icons/arrow-down.svg"); width: 14px; height: 14px; }
QComboBox QAbstractItemView { background: $base; border: 1px solid $line;
                              selection-background-color: $accent;
                              selection-color: $on_accent; }
QCheckBox::indicator, QRadioButton::indicator { background: $base; border: 1px solid $faint;
                                                width: 14px; height: 14px; }
QCheckBox::indicator { border-radius: 4px; }
QRadioButton::indicator { border-radius: 8px; }
QCheckBox::indicator:hover, QRadioButton::indicator:hover { border-color: $accent; }
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border-color: $text; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: $line; }
QCheckBox::indicator:checked { image: url("$icons/check.svg"); }
QRadioButton::indicator:checked { background: qradialgradient(cx: 0.5, cy: 0.5, radius: 0.5,
    fx: 0.5, fy: 0.5, stop: 0 $accent, stop: 0.55 $accent, stop: 0.68 $base, stop: 1 $base); }
QMenu { background: $base; border: 1px solid $line; padding: 4px; }
QMenu::item { padding: 5px 26px 5px 10px; border-radius: 4px; }
QMenu::item:selected { background: $accent; color: $on_accent; }
QMenu::item:disabled { color: $faint; background: transparent; }
QMenu::separator { background: $line; height: 1px; margin: 4px 8px; }
QListWidget { background: $base; border: 1px solid $line; border-radius: 5px; padding: 3px; }
QTableView, QTreeWidget { background: $base; border: 1px solid $line; border-radius: 5px;
                            padding: 3px; outline: none; }
QTableView#grid { background: $backdrop; padding: 0px; }
QTreeWidget { show-decoration-selected: 1; }
QTreeWidget::item { padding: 3px 4px; }
QTreeWidget::item:hover { background: $hover; }
QTreeWidget::item:selected { background: $accent; color: $on_accent; }
QHeaderView::section { background: $base; color: $faint; border: none;
                       border-bottom: 1px solid $line; padding: 4px 6px; }
QListWidget::item { border-radius: 4px; padding: 3px 4px; }
QListWidget::item:hover { background: $hover; }
QListWidget::item:selected { background: $accent; color: $on_accent; }
QScrollBar:vertical { background: transparent; width: 12px; margin: 0px; }
QScrollBar:horizontal { background: transparent; height: 12px; margin: 0px; }
QScrollBar::handle { background: $line; border-radius: 4px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: $faint; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0px; height: 0px; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QTreeWidget { background: $base; border: 1px solid $line; border-radius: 5px; padding: 3px; }
QTreeWidget:focus { border-color: $accent; }
QTreeWidget::item { padding: 3px 4px; }
QTreeWidget::item:hover { background: $hover; }
QTreeWidget::item:selected { background: $accent; color: $on_accent; }
QPushButton#palette { padding: 5px 22px 5px 8px; }
QPushButton#palette::menu-indicator { image: url("$icons/arrow-down.svg"); width: 14px;
                                      height: 14px; subcontrol-position: right center;
                                      right: 6px; }
QLabel#faint, QToolButton#faint { color: $faint; }
QListView#strip { background: $base; border: 1px solid $line; border-radius: 5px; padding: 2px; }
QListView#strip:focus { border-color: $accent; }
QScrollArea#start, QWidget#startPage { background: $backdrop; }
QWidget#startPage QToolButton { padding: 5px; }
QLabel#title { font-size: 17px; font-weight: 600; }
QLabel#heading { font-weight: 600; }
QFrame#errorBar { background: $warning; border: 1px solid $line; border-radius: 5px; }
QFrame#errorBar QLabel, QFrame#errorBar QPushButton { color: $on_warning; }
QFrame#errorBar QPushButton { background: transparent; border-color: $on_warning;
                              padding: 3px 10px; }
QFrame#errorBar QPushButton:hover { background: $window; color: $text; }
QFrame#errorBar[calm="true"] { background: $base; }
QFrame#errorBar[calm="true"] QLabel { color: $text; }
QFrame#errorBar[calm="true"] QPushButton { color: $text; border-color: $line; }
QFrame#editBar { background: $window; border: 1px solid $accent; border-radius: 7px; }
QFrame#editBar QPushButton { padding: 4px 10px; }
QFrame#errorBar QPlainTextEdit { background: $base; color: $text; border: none; }
""")


class Theme(QObject):
    """Dresses the application; "system" follows the desktop, also while the program runs.

    changed: whatever is drawn in its colours is to be drawn anew. Told when the widgets are dressed
    and the window had its turn: both at once would hold it up for longer.
    """

    changed = Signal()

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self._choice = "system"
        self._hints = application.styleHints()
        self._hints.colorSchemeChanged.connect(self._follow_system)
        self._telling = QTimer(self, singleShot=True, interval=0)
        self._telling.timeout.connect(self.changed)
        application.screenAdded.connect(self._telling.start)  # it may be denser

    @property
    def dark(self) -> bool:
        """Whether the dark colours are worn now."""
        if self._choice == "system":
            return self._hints.colorScheme() == Qt.ColorScheme.Dark
        return self._choice == "dark"

    def choose(self, choice: str) -> None:
        """Wear "light", "dark" or what the system wears."""
        self._choice = choice
        scheme = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
        self._hints.setColorScheme(scheme.get(choice, Qt.ColorScheme.Unknown))
        self._dress()

    def _follow_system(self) -> None:
        if self._choice == "system":
            self._dress()

    def _dress(self) -> None:
        QPixmapCache.clear()  # of icons in the colours before: nobody asks for them again
        self._application.setPalette(_palette(DARK if self.dark else LIGHT))
        if self._application.styleSheet():
            for widget in self._application.allWidgets():
                widget.style().polish(widget)  # has looked its colours up in the old palette
            self._telling.start()
        else:  # as the program starts: nothing is drawn yet
            names = {color: f"palette({name})" for color, (name, _) in PLACES.items()}
            sheet = STYLE.substitute(names, icons=FOLDER.as_posix())
            self._application.setStyleSheet(sheet)


def _palette(colors: Colors) -> QPalette:
    palette = QPalette(QColor(colors.raised), QColor(colors.window))
    for color, (_, roles) in PLACES.items():
        for role in roles:
            palette.setColor(role, QColor(getattr(colors, color)))
    for role in (Role.WindowText, Role.Text, Role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(colors.faint))
    return palette
