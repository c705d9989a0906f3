"""The main window: where things lie, and which wish goes to whom."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QCloseEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QLabel,
    QMainWindow,
    QMenu,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app import actions
from app.actions import Wish, build_action
from app.best_of import BestOf
from app.canvas import Canvas
from app.commands import UndoStack
from app.drop import DropArea
from app.edit_desk import EditDesk
from app.exchange import Exchange
from app.filing import Filing
from app.fixing import Fixing
from app.gallery import Gallery
from app.guiding.desk import GuidingDesk
from app.icons import retint
from app.instant_guidance import InstantGuidance
from app.keeping import Keeping
from app.key_sheet import KeySheet
from app.live_desk import LiveDesk
from app.looking import Looking
from app.map_work import MapWork
from app.match_desk import MatchDesk
from app.matches import Matches
from app.palettes.controlling import Controlling
from app.palettes.desk import PaletteDesk
from app.palettes.library import Library
from app.palettes.pins import DIGITS
from app.panels.chip import Chip
from app.panels.error_bar import ErrorBar
from app.panels.generate import GeneratePanel
from app.panels.history import HistoryPanel
from app.panels.options import OptionsBar
from app.panels.recovery_bar import RecoveryBar
from app.panels.result import PictureView, ResultPanel
from app.panels.scrubber import ScrubberBar
from app.panels.tools import ToolStrip
from app.panes import Panes
from app.pen import Pen
from app.photo_desk import PhotoDesk
from app.photo_labels import PhotoLabels
from app.project import SUFFIX
from app.reader import Reader
from app.recent import RecentMenu
from app.scene import Scene
from app.scrubbing import Scrubbing
from app.settings import THEMES, Store
from app.shortcuts import Shortcuts
from app.shortcuts_dialog import ShortcutsDialog
from app.smaller import offer_smaller
from app.start import Start
from app.studio import Status, Studio
from app.style_desk import StyleDesk
from app.theme import Theme
from app.tips import retip, set_tip
from app.tools import PAINTERS
from app.training.desk import TrainingDesk
from app.variations_desk import VariationsDesk
from app.weights_import.desk import WeightsImport
from core.request import Failed

LEFT, RIGHT = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea

PRESERVE_TIP = (
    "Preserve labels ({preserve}): paint over unlabeled pixels only; "
    "the eraser takes away the label in hand"
)


class MainWindow(QMainWindow):
    """Holds the widgets; the state is in the scene, the pen, the studio and the store."""

    def __init__(
        self,
        scene: Scene,
        pen: Pen,
        undo_stack: UndoStack,
        keeping: Keeping,
        studio: Studio,
        store: Store,
        theme: Theme,
        library: Library,
    ) -> None:
        super().__init__()
        self.scene, self.pen, self.undo_stack = scene, pen, undo_stack
        self.keeping, self.studio = keeping, studio
        self.scene_file = keeping.scene_file
        self.store, self.theme = store, theme
        self.reader = Reader(self)
        self.filing = Filing(self, keeping.scene_file, studio, store, self.reader)
        self.gallery = Gallery(self, keeping.history, studio, scene, undo_stack, store, self.reader)
        self.map_work = MapWork(self, scene, pen, undo_stack)
        self.exchange = Exchange(
            self, scene, undo_stack, studio, self.filing, keeping.scene_file, store, self.reader
        )
        self.exchange.openers[SUFFIX] = self.filing.open_recent
        self.exchange.pictures = self.gallery.results
        self._build_actions()
        self._build_widgets(library)
        self._build_docks()
        self._build_menus()
        self._build_status_bar()
        self._connect()
        self.resize(1280, 720)
        self._lay_out()
        self._first_layout = self.saveState()
        self._restore()
        self._show_everything()

    # -- building ---------------------------------------------------------------------------------

    def _build_actions(self) -> None:
        slots = {
            "quit": self.close,
            "undo": self.undo_stack.undo,
            "redo": self.undo_stack.redo,
            "previous_label": lambda: self.palettes.step(-1),
            "next_label": lambda: self.palettes.step(1),
            "swap": self.pen.swap,
            "preserve": lambda: self.pen.set_preserve(not self.pen.preserve),
            "mirror": self.map_work.mirror,
            "replace_label": self.map_work.ask_replacement,
            "canvas_size": self.map_work.ask_size,
            "search": lambda: self.palette_panel.search.setFocus(),
            "smaller": lambda: self.pen.grow(-1),
            "larger": lambda: self.pen.grow(1),
            "generate": self.studio.generate,
            "cancel": self._cancel,
            "variations": self._vary,
            "fix_label": lambda: self.fixing.fix(self.match.panel.current()),
            "best_of": lambda: self.best_of.begin(self._vary),
            "update": lambda: self.local.update(),
            "repaint": lambda: self.local.repaint(),
            "mark": lambda: self.local.mark(not self.local.marking),
            "clear_marks": lambda: self.local.edits.clear_marks(),
            "edit_controls": lambda: self.local.show_controls(),
            "keep_edit": lambda: self.local.edits.keep(),
            "next_edit": lambda: self.local.edits.next(),
            "previous_edit": lambda: self.local.edits.previous(),
            "prompt": lambda: self.guiding.prompt(),
            "another_line": lambda: self.guiding.add_line(),
            "reference_file": lambda: self.guiding.ask(),
            "reference_last": lambda: self.guiding.add_last(),
            "references_chosen": lambda: self.guiding.add_chosen(),
            "cancel_all": self._cancel_all,
            "keep_picture": lambda: self.live.keep(),
            "another_style": lambda: self.style_desk.another(),
            "any_style": lambda: self.style_desk.any(),
            "style_from": lambda: self.style_desk.ask(),
            "style_of_photo": lambda: self.style_desk.take_photo(),
            "style_of_picture": lambda: self.style_desk.take_picture(),
            "earlier_step": lambda: self.scrubbing.seek(self.scrubbing.step - 1),
            "later_step": lambda: self.scrubbing.seek(self.scrubbing.step + 1),
            "fork": lambda: self.scrubbing.fork(),
            "fit": lambda: self.canvas.fit(),
            "actual_size": lambda: self.canvas.actual_size(),
            "zoom_in": lambda: self.canvas.zoom(2**0.5),
            "zoom_out": lambda: self.canvas.zoom(2**-0.5),
            "toggle_layout": lambda: self.canvas.toggle_layout(),
            "keys": lambda: KeySheet(self, self.shortcuts.shown()).open(),
            "start_page": lambda: self.start.show(self.shortcuts.shown()),
            "shortcuts": lambda: self._open_shortcuts(),
            "next_panel": lambda: self.panes.go(1),
            "previous_panel": lambda: self.panes.go(-1),
            "new": self.filing.new,
            "open": self.filing.open,
            "save": self.filing.save,
            "save_as": self.filing.save_as,
            "save_picture": self.filing.save_picture,
            "open_weights": self.exchange.ask_weights,
            "import_weights": lambda: self.weights_import.ask(),
            "import": self.exchange.ask_import,
            "export": self.exchange.ask_export,
            "photo": self.exchange.ask_photo,
            "photo_labels": lambda: self.photo_labels.ask(),
            "add_to_set": lambda: self.training.ask_add(),
            "my_set": lambda: self.training.show(),
            "photo_under": lambda: self.photo.toggle(),
            "photo_away": self.exchange.reference.remove,
            "use_settings": self.gallery.use,
            "star": self.gallery.star,
            "compare": self.gallery.compare,
            "delete_pictures": self.gallery.delete,
            "go_to_history": self.gallery.go,
            "history_limit": self.gallery.ask_limit,
            "lock_label": lambda: self.controlling.lock(),
            "new_label_seed": lambda: self.controlling.new_seed(),
            "label_controls": lambda: self.controlling.open(),
            "load_palette": lambda: self.palettes.converting.load(),
            "edit_palette": lambda: self.palettes.converting.edit(),
        }
        for digit in DIGITS:
            slots[f"pinned_{digit}"] = partial(self._take_pinned, digit)
            slots[f"pin_{digit}"] = partial(lambda d: self.palettes.pin_in_hand(d), digit)
        switches = *(wish.name for wish in actions.LABEL_VIEW), "show_region", "differences"
        for name in (*switches, "live", "refine"):
            slots[name] = lambda: None  # a switch: the desk that it belongs to hears it toggle
        self.acts = {wish.name: self._build_action(wish, slots) for wish in all_wishes()}
        self.shortcuts = Shortcuts(all_wishes(), self.store)
        self.acts["save_picture"].setEnabled(False)
        self.acts["cancel"].setEnabled(False)
        self.acts["preserve"].setCheckable(True)
        set_tip(self.acts["preserve"], PRESERVE_TIP)
        group = QActionGroup(self)
        self.acts["photo_under"].setCheckable(True)
        for wish in actions.TOOLS:
            self.acts[wish.name].setCheckable(True)
            group.addAction(self.acts[wish.name])

    def _open_shortcuts(self) -> None:
        menus = [action.menu() for action in self.menuBar().actions()]
        groups = [(menu.title().replace("&", ""), _wishes_in(menu)) for menu in menus]
        ShortcutsDialog(self.shortcuts, groups, self).open()

    def _build_action(self, wish: Wish, slots: dict) -> QAction:
        slot = slots.get(wish.name) or (lambda: self.pen.use(wish.name))
        return build_action(wish, slot, self)

    def _acts(self, wishes: Iterable[Wish]) -> list[QAction]:
        return [self.acts[wish.name] for wish in wishes]

    def _build_widgets(self, library: Library) -> None:
        self.canvas = Canvas(self.scene, self.pen, self.undo_stack)
        self.error_bar = ErrorBar()
        self.palettes = PaletteDesk(
            self.scene,
            self.pen,
            self.canvas,
            self.undo_stack,
            self.studio,
            self.store,
            library,
            self.acts,
        )
        self.palette_panel = self.palettes.panel
        self.controlling = Controlling(
            self, self.scene, self.pen, self.undo_stack, self.studio, self.palette_panel.rows
        )
        self.exchange.openers[".toml"] = self.palettes.converting.take
        self.scrubbing = Scrubbing(self.studio)
        self.scrubber = ScrubberBar(self.acts["fork"])
        self.result_panel = ResultPanel(
            self.acts["save_picture"], self.acts["differences"], self.scrubber
        )
        self.style_desk = StyleDesk(
            self,
            self.studio,
            self.store,
            self.reader,
            self.exchange.reference,
            self.acts,
            lambda: self.live.note(),
            lambda: self.live.hand.renew(),
        )
        self.generate_panel = GeneratePanel(
            self.studio.settings, self.acts["live"], self.style_desk.row
        )
        self.history_panel = HistoryPanel(
            self.gallery.filter, self._acts(actions.HISTORY[:4]), self.acts["history_limit"]
        )
        self.recovery_bar = RecoveryBar()
        view = [self.acts["fit"], self.acts["actual_size"]]
        self.options = OptionsBar(self.acts["preserve"], view)
        looking = Looking(self.studio)
        matches = Matches(self.studio, looking)
        self.match = MatchDesk(self.studio, matches, self.result_panel, self.acts)
        self.photo_labels = PhotoLabels(
            self,
            self.scene,
            self.studio,
            self.undo_stack,
            looking,
            self.exchange.reference,
            self.store,
            self.reader,
        )
        self.exchange.make_labels = self.photo_labels.take
        self.training = TrainingDesk(
            self,
            self.scene,
            self.scene_file,
            self.studio,
            self.exchange.reference,
            self.store,
            self.exchange.take,
        )
        self.weights_import = WeightsImport(
            self, self.scene, self.store, library, self.exchange.take
        )
        for suffix in (".pt", ".pth"):
            self.exchange.openers[suffix] = self.weights_import.take
        self.desk = VariationsDesk(
            self.canvas,
            self.studio,
            self.undo_stack,
            self.keeping.history,
            self.result_panel,
            self.scene,
            matches,
        )
        self.best_of = BestOf(self.desk.variations)
        self.local = EditDesk(
            self.canvas,
            self.studio,
            self.undo_stack,
            self.keeping.history,
            self.exchange.reference,
            self.store,
            self.acts,
        )
        self.live = LiveDesk(
            self.canvas, self.undo_stack, self.studio, self.store, self.acts, self._choosing
        )
        self.instant = InstantGuidance(self.studio, self._may_answer, self)
        self.guiding = GuidingDesk(
            self,
            self.studio,
            self.store,
            self.reader,
            self.acts,
            self._may_answer,
            self.gallery.results,
        )
        self.fixing = Fixing(self.studio, matches, self.local.edits, self.undo_stack)
        self.match.panel.fix_wanted.connect(self.fixing.fix)
        self.start = Start(self.canvas, self.scene, self.filing, self.studio)
        others = [self.acts["mark"], *self._acts(actions.EDIT)]
        strip = ToolStrip(self._acts(actions.TOOLS), others)
        middle = QWidget()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(6)
        layout.addWidget(self.recovery_bar)
        layout.addWidget(self.error_bar)
        layout.addWidget(self.start.place, 1)
        self.setCentralWidget(middle)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.options)
        self.addToolBar(Qt.ToolBarArea.LeftToolBarArea, strip)
        for bar in (self.options, strip):
            bar.toggleViewAction().setEnabled(False)  # nothing else holds these controls
        # Tab belongs to the canvas alone: elsewhere it goes from control to control.
        self._give_key("toggle_layout", self.canvas)
        self._give_key("delete_pictures", self.history_panel.strip)
        for name in ("keep_edit", "next_edit", "previous_edit"):
            self._give_key(name, self.canvas)

    def _give_key(self, name: str, widget: QWidget) -> None:
        """Let the key of an action work while `widget` has the focus, and nowhere else."""
        self.removeAction(self.acts[name])
        self.acts[name].setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        widget.addAction(self.acts[name])

    def _build_docks(self) -> None:
        panels = (
            ("Palette", self.palette_panel),
            ("Picture", self.desk.place),
            ("Generate", self.generate_panel),
            ("Local edit", self.local.panel),
            ("History", self.history_panel),
        )
        self.docks = [self._build_dock(title, panel) for title, panel in panels]
        self.guide_dock = self._build_dock("Guide", self.guiding.panel)
        self.guiding.hang(self.guide_dock)
        self.match_dock = self._build_dock("Match", self.match.panel)
        self.match.hang(self.match_dock)
        self.photo_dock = self._build_dock("Photo", PictureView())
        self.photo = PhotoDesk(self.exchange.reference, self.canvas, self.photo_dock, self.acts)
        docks = [*self.docks, self.guide_dock, self.match_dock, self.photo_dock]
        self.panes = Panes(self, [self.start.place, self.options, *docks])

    def _build_dock(self, title: str, panel: QWidget) -> QDockWidget:
        dock = QDockWidget(title, self, objectName=title.lower())
        dock.setWidget(panel)
        return dock

    def _lay_out(self) -> None:
        """The docks as on a first start."""
        palette, result, generate, local, history = self.docks
        self.addDockWidget(LEFT, palette)
        self.addDockWidget(RIGHT, result)
        self.addDockWidget(RIGHT, generate)
        self.tabifyDockWidget(generate, self.guide_dock)
        self.tabifyDockWidget(self.guide_dock, local)
        self.tabifyDockWidget(local, self.match_dock)
        self.match_dock.hide()
        generate.raise_()
        self.addDockWidget(RIGHT, self.photo_dock)
        self.photo_dock.hide()
        self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, history)
        self.setCorner(Qt.Corner.BottomLeftCorner, LEFT)  # the strip lies under the canvas only
        self.setCorner(Qt.Corner.BottomRightCorner, RIGHT)
        self.resizeDocks([palette, result], [184, 410], Qt.Orientation.Horizontal)
        self.resizeDocks([result, generate], [440, 200], Qt.Orientation.Vertical)

    def _build_menus(self) -> None:
        bar = self.menuBar()
        file = bar.addMenu("&File")
        _fill_menu(file, self._acts(actions.FILE), breaks=(4, 6, 11, 13))
        file.insertMenu(file.actions()[2], RecentMenu(self, self.store, self.filing.open_recent))
        edit = bar.addMenu("&Edit")
        wishes = self._acts(actions.EDIT + actions.MAP + actions.LABELS + actions.CONTROLS)
        _fill_menu(edit, wishes, breaks=(2, 5, 10, 12))
        _fill_menu(edit.addMenu("Pinned labels"), self._acts(actions.PINNED))
        _fill_menu(edit.addMenu("Pin this label"), self._acts(actions.PIN))
        _fill_menu(edit, self._acts(actions.SETUP), breaks=(0,))
        bar.addMenu(self.palettes.menu)
        _fill_menu(bar.addMenu("&Tools"), self._acts(actions.TOOLS))
        making = actions.PICTURE, actions.LIVE, actions.STYLE
        parts = *making, actions.LOCAL, actions.STEPS, actions.MATCH
        wishes = [wish for part in (*parts, actions.HISTORY) for wish in part]
        picture = bar.addMenu("&Picture")
        _fill_menu(picture, self._acts(wishes), breaks=(4, 7, 11, 17, 20, 23, 26))
        _fill_menu(picture.addMenu("Words and references"), self._acts(actions.GUIDING))
        view = bar.addMenu("&View")
        _fill_menu(view, self._acts(actions.VIEW))
        view.addSeparator()
        _fill_menu(view, self._acts(actions.LABEL_VIEW))
        view.addSeparator()
        view.addActions(
            [
                dock.toggleViewAction()
                for dock in [*self.docks, self.guide_dock, self.match_dock, self.photo_dock]
            ]
        )
        view.addAction("Reset layout").triggered.connect(self.reset_layout)
        view.addSeparator()
        self._build_theme_menu(view.addMenu("Theme"))
        _fill_menu(bar.addMenu("&Help"), self._acts(actions.HELP))

    def _build_theme_menu(self, menu: QMenu) -> None:
        group = QActionGroup(self)
        for choice in THEMES:
            action = menu.addAction(choice.capitalize())
            action.setCheckable(True)
            action.setChecked(choice == self.store.theme)
            action.triggered.connect(lambda _=False, c=choice: self.choose_theme(c))
            group.addAction(action)

    def _build_status_bar(self) -> None:
        self.chip = Chip()
        self.chip.setContentsMargins(10, 2, 10, 2)
        self.place_label = QLabel(objectName="faint")
        self.zoom_label = QLabel(objectName="faint")
        self.size_label = QLabel(objectName="faint")
        self.model_label = QLabel(objectName="faint")
        bar = self.statusBar()
        bar.addWidget(self.chip)
        bar.addWidget(self.place_label)
        bar.addPermanentWidget(self.training.note)
        for label in (self.model_label, self.size_label, self.zoom_label):
            label.setContentsMargins(8, 0, 8, 0)
            bar.addPermanentWidget(label)

    def _connect(self) -> None:
        self.scene.replaced.connect(self._show_title)
        self.undo_stack.cleanChanged.connect(self._show_title)
        self.undo_stack.indexChanged.connect(self.studio.review)
        self.undo_stack.canUndoChanged.connect(self._show_undo)
        self.undo_stack.canRedoChanged.connect(self._show_undo)
        self.pen.changed.connect(self._show_pen)
        self.canvas.painting.connect(self._on_painting)
        self.canvas.hovered.connect(self._show_place)
        self.canvas.zoomed.connect(self._show_zoom)
        self.canvas.blended.connect(self.options.show_blend)
        self.options.resized.connect(self.pen.resize)
        self.options.reshaped.connect(self.pen.reshape)
        self.options.pressure.connect(self._choose_pressure)
        self.options.contiguity.connect(self.pen.set_contiguous)
        self.options.blended.connect(self.canvas.set_opacity)
        self.palette_panel.label_chosen.connect(self._choose_label)
        self.palette_panel.swap_wanted.connect(self.pen.swap)
        self.palette_panel.left.connect(self.canvas.setFocus)
        self.generate_panel.generate_wanted.connect(self.studio.generate)
        self.generate_panel.cancel_wanted.connect(self._cancel)
        self.scrubber.moved.connect(self.scrubbing.seek)
        self.scrubbing.turned.connect(self._show_step)
        self.generate_panel.update_wanted.connect(self.acts["update"].trigger)
        self.desk.variations.left.connect(self._on_choice_left)
        self.local.turned.connect(self._on_choice_left)
        self.local.edits.failed.connect(self.show_failure)
        self.instant.turned.connect(self._on_choice_left)
        self.live.passing.connect(self.result_panel.view.fade_next)
        self.generate_panel.edited.connect(self.studio.change_settings)
        self.generate_panel.edited.connect(self.live.note)
        self.generate_panel.guidance_moved.connect(self.instant.move)
        self.generate_panel.guidance_moved.connect(self.guiding.note_guidance)
        self.scene.wanted.changed.connect(self.live.note)
        self.studio.settings_changed.connect(self.generate_panel.show_settings)
        self.studio.status_changed.connect(self._show_status)
        self.studio.picture_changed.connect(self.exchange.reference.show_result)
        self.studio.picture_changed.connect(self.result_panel.show_picture)
        self.studio.failed.connect(self.show_failure)
        self.filing.done.connect(self._on_file)
        self.filing.failed.connect(self.show_failure)
        self.exchange.done.connect(self._on_file)
        self.exchange.failed.connect(self.show_failure)
        self.photo_labels.failed.connect(self.show_failure)
        self.training.failed.connect(self.show_failure)
        self.training.told.connect(self.error_bar.show_notice)
        self.guiding.failed.connect(self.show_failure)
        self.weights_import.told.connect(self.error_bar.show_notice)
        self.fixing.failed.connect(self.show_failure)
        self.style_desk.failed.connect(self.show_failure)
        self.best_of.told.connect(self.error_bar.show_error)
        self._connect_keeping()
        DropArea(self, self.exchange.take)
        self.palettes.converting.failed.connect(self.show_failure)
        self.palettes.converting.offered.connect(self.error_bar.show_offer)
        for box in self.findChildren(QSpinBox):
            box.lineEdit().setTextMargins(4, 0, 0, 0)  # a style sheet does not reach this one
            box.lineEdit().returnPressed.connect(self.canvas.setFocus)  # who has the keys again
        self.theme.changed.connect(self._retint)
        self.shortcuts.changed.connect(self._show_keys)

    def _connect_keeping(self) -> None:
        history, recovery = self.keeping.history, self.keeping.recovery
        history.counted.connect(self._show_title)
        self.keeping.writer.failed.connect(self.show_failure)
        self.gallery.failed.connect(self.show_failure)
        self.gallery.attach(self.history_panel)
        self.filing.done.connect(self.keeping.autosave.review)
        self.filing.restored.connect(recovery.restored)
        recovery.offered.connect(self.recovery_bar.offer)
        recovery.wanted.connect(self.filing.restore)
        self.recovery_bar.restore_wanted.connect(recovery.restore)
        self.recovery_bar.discard_wanted.connect(recovery.discard)

    # -- showing ----------------------------------------------------------------------------------

    def _show_everything(self) -> None:
        retint(self)
        self._show_keys()
        self._show_pen()
        self._show_title()
        self._show_undo()
        self._show_step()
        self._show_status(self.studio.status())
        self.options.show_blend(self.canvas.opacity)
        self.canvas.setFocus()

    def _retint(self) -> None:
        retint(self)
        self.palettes.panel.relist()

    def _show_keys(self) -> None:
        self.shortcuts.apply(self.acts)
        retip(self, self.shortcuts.shown())

    def _show_title(self) -> None:
        path = self.scene_file.path
        self.setWindowTitle(f"{path.name if path else 'Untitled'}[*] – SDM Studio")
        self.setWindowModified(not self.scene_file.saved)
        width, height = self.scene.size
        self.size_label.setText(f"{width} × {height}")

    def _show_undo(self) -> None:
        free = not self.canvas.busy
        for action in self._acts(actions.MAP):
            action.setEnabled(free)
        self.acts["undo"].setEnabled(free and self.undo_stack.canUndo())
        self.acts["redo"].setEnabled(free and self.undo_stack.canRedo())

    def _show_pen(self) -> None:
        self.acts[self.pen.tool].setChecked(True)
        self.options.show_pen(self.pen)

    def _show_place(self, point: tuple[float, float] | None) -> None:
        label = self.scene.label_at(point) if point else None
        if label is None:
            self.place_label.clear()
        else:
            x, y = (int(part) for part in point)
            self.place_label.setText(f"{x}, {y}   {self.scene.palette[label].name}")

    def _show_zoom(self, zoom: float) -> None:
        self.zoom_label.setText(f"{zoom:.0%}")

    def _show_step(self) -> None:
        steps = 0 if self.local.edits.open else self.scrubbing.steps  # one choice at a time
        self.scrubber.show_step(min(self.scrubbing.step, steps), steps)
        for action in self._acts(actions.STEPS):
            action.setEnabled(steps > 0)

    def _show_status(self, status: Status) -> None:
        self.chip.show_status(status.state, status.text)
        self.generate_panel.show_progress(status.step, status.steps, _progress_text(status))
        choosing = self.desk.variations.open or self.local.busy or self.instant.answering
        can_cancel = status.can_cancel or choosing
        self.generate_panel.show_abilities(status.can_generate, can_cancel)
        self.acts["generate"].setEnabled(status.can_generate)
        self.acts["variations"].setEnabled(status.can_generate)
        self.acts["cancel"].setEnabled(can_cancel)
        self.acts["save_picture"].setEnabled(self.studio.result is not None)
        if self.studio.model is not None:
            model = self.studio.model
            self.model_label.setText(f"{model.name} · {model.device} · {model.precision}")
            self.model_label.setToolTip(model.summary)
            self.generate_panel.show_painter(model.painter != "")

    def show_failure(self, failed: Failed) -> None:
        """Say what went wrong, above the canvas."""
        self.error_bar.show_error(failed.message, failed.details)
        offer_smaller(failed, self.studio, self.error_bar)

    def _on_file(self, notice: str) -> None:
        self._show_title()
        if notice:
            self.error_bar.show_notice(notice)
        else:
            self.error_bar.hide()

    def _cancel(self) -> None:
        """Stop what runs, and leave a choice with nothing changed."""
        if not self.local.cancel():
            self.desk.variations.leave()
            self.instant.drop()
            self.live.give_up()
            self.studio.cancel()

    def _vary(self) -> None:
        self.local.edits.drop()
        self.desk.begin()

    def _cancel_all(self) -> None:
        """And let pictures follow the brush no more."""
        self.live.turn_off()
        self._cancel()

    def _choosing(self) -> bool:
        """Whether the user looks at pictures to choose from."""
        return self.desk.variations.open or self.local.edits.open

    def _may_answer(self) -> bool:
        """Whether the guidance slider may show a preview of its own."""
        return not self.live.on and not self._choosing()

    def _on_choice_left(self) -> None:
        self._show_step()
        self._show_status(self.studio.status())

    def _on_painting(self, painting: bool) -> None:
        self._show_undo()
        self.studio.set_painting(painting)

    def _choose_label(self, label: int) -> None:
        self.local.stop_marking()
        self.pen.choose(label)
        if self.pen.tool not in PAINTERS:  # a label is taken to paint with it
            self.pen.use("brush")

    def _choose_pressure(self, pressure: bool) -> None:
        self.pen.set_pressure(pressure)
        self.store.pressure = pressure

    def _take_pinned(self, digit: int) -> None:
        label = self.palettes.pins.label_on(digit)
        if label is not None:
            self._choose_label(label)

    def choose_theme(self, choice: str) -> None:
        """Wear another theme, and remember it."""
        self.store.theme = choice
        self.theme.choose(choice)

    # -- the window itself ------------------------------------------------------------------------

    def reset_layout(self) -> None:
        """The docks as on a first start."""
        self.restoreState(self._first_layout)
        self._lay_out()

    def _restore(self) -> None:
        geometry, docks = self.store.window()
        if not geometry.isEmpty():
            self.restoreGeometry(geometry)
        if not docks.isEmpty():
            self.restoreState(docks)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not (self.filing.may_go() and self.training.may_close()):
            event.ignore()
            return
        self.store.keep_window(self.saveGeometry(), self.saveState())
        self.store.keep_generate(self.studio.settings)
        self.live.stop()
        self.weights_import.conversion.cancel()
        self.hide()  # the thread may need a moment: the window is gone at once
        self.studio.stop()
        self.keeping.finish()
        self.undo_stack.blockSignals(True)  # it may outlive those who listen to it
        event.accept()


def all_wishes() -> list[Wish]:
    """Everything that can be asked for, menu by menu."""
    tables = (
        actions.FILE,
        actions.EDIT,
        actions.SETUP,
        actions.TOOLS,
        actions.LABELS,
        actions.CONTROLS,
        actions.MAP,
        actions.PINNED,
        actions.PIN,
        actions.PALETTE,
        actions.PICTURE,
        actions.GUIDING,
        actions.LIVE,
        actions.STYLE,
        actions.STEPS,
        actions.LOCAL,
        actions.MATCH,
        actions.HISTORY,
        actions.VIEW,
        actions.LABEL_VIEW,
        actions.HELP,
    )
    return [wish for table in tables for wish in table]


def _wishes_in(menu: QMenu) -> list[str]:
    """The names of all wishes in a menu and the menus in it."""
    names = []
    for action in menu.actions():
        names += _wishes_in(action.menu()) if action.menu() else [action.objectName()]
    return [name for name in names if name]


def _fill_menu(menu: QMenu, items: list[QAction], breaks: tuple[int, ...] = ()) -> None:
    for index, action in enumerate(items):
        if index in breaks:
            menu.addSeparator()
        menu.addAction(action)


def _progress_text(status: Status) -> str:
    if status.state == "loading" and status.steps:
        return "waiting for the model"
    if not status.steps:
        return ""
    text = f"step {status.step}/{status.steps}"
    left = status.seconds_left
    return text if left is None else f"{text} · {_duration(left)} left"


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
