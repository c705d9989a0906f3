"""A scripted user of the real window: paints with every tool, makes pictures, files them away."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox

from app.examples import EXAMPLES
from app.export_dialog import ExportDialog
from app.import_dialog import ImportDialog
from app.main_window import MainWindow
from app.palettes.conversion_dialog import ConversionDialog
from app.settings import THEMES
from app.tools import TOOLS
from tests.app import hand
from tests.soak.driver import Act

PALETTES = ("ade20k", "coco_stuff", "cityscapes", "landscape")
TRACED = EXAMPLES[-1].picture  # the photo to trace
STEPS = (3, 9)  # of a picture
MOVE = 0.012  # seconds between two moves of the pen
ASKING = (ImportDialog, QMessageBox)  # about a file that may mean several things
Button = QMessageBox.StandardButton
Key = Qt.Key


class User:
    """Chooses an act at random, by weight; the same `seed` chooses the same acts."""

    def __init__(self, window: MainWindow, folder: Path, seed: int) -> None:
        self.window, self.folder, self.chance = window, folder, random.Random(seed)
        self.studio, self.canvas, self.pen = window.studio, window.canvas, window.pen
        self.acts = {
            self.paint: 14,
            self.paint_by_key: 2,
            self.undo_and_redo: 6,
            self.look_around: 4,
            self.generate: 5,
            self.generate_and_cancel: 2,
            self.paint_live: 5,
            self.vary: 2,
            self.repaint: 3,
            self.update: 3,
            self.scrub: 2,
            self.match: 2,
            self.walk_history: 4,
            self.compare: 2,
            self.change_palette: 2,
            self.change_map: 2,
            self.control_labels: 2,
            self.guide: 2,
            self.view_labels: 2,
            self.change_theme: 1,
            self.look_things_up: 1,
            self.trace: 2,
            self.save: 3,
            self.open: 3,
            self.begin_anew: 2,
            self.export: 1,
        }
        self._answer = Path()  # to the next question for a file
        QFileDialog.getSaveFileName = lambda *_: (str(self._answer), "")
        QMessageBox.question = lambda *args: _consent(args[3])

    def choose(self) -> tuple[str, Act]:
        """The next act, and its name. A question that came late is answered first."""
        for _ in self._consent():
            pass
        (act,) = self.chance.choices(list(self.acts), list(self.acts.values()))
        return act.__name__, act()

    # -- painting ---------------------------------------------------------------------------------

    def paint(self) -> Act:
        """A gesture of any tool with any label."""
        self.window.start.close()
        self.pen.choose(self.chance.randrange(len(self.window.scene.palette)))
        self.pen.resize(self.chance.randint(1, 60))
        self.pen.set_preserve(self.chance.random() < 0.1)
        yield from self._gesture(self.chance.choice(list(TOOLS)))

    def _gesture(self, tool: str) -> Act:
        self.pen.use(tool)
        x, y = self._place()
        if tool == "polygon":
            for _ in range(self.chance.randint(2, 5)):
                hand.drag(self.canvas, (x, y))
                yield MOVE
                x, y = self._place()
            hand.double_click(self.canvas, (x, y))
        else:
            hand.press(self.canvas, (x, y))
            for _ in range(self.chance.randint(4, 25)):
                yield MOVE
                x, y = x + self.chance.uniform(-14, 14), y + self.chance.uniform(-14, 14)
                hand.move(self.canvas, (x, y))
            hand.release(self.canvas, (x, y))
        yield MOVE
        if self.canvas.busy:
            self._press(Key.Key_Escape)

    def paint_by_key(self) -> Act:
        """The same without a mouse."""
        self.pen.use("brush")
        self.canvas.setFocus()
        self._press(Key.Key_Return)
        for _ in range(8):
            self._press(self.chance.choice([Key.Key_Left, Key.Key_Up, Key.Key_Right]))
            yield MOVE
        self._press(Key.Key_Return)
        if self.canvas.busy:
            self._press(Key.Key_Escape)

    def undo_and_redo(self) -> Act:
        """Some steps back, some forth."""
        back = self.chance.randint(1, 12)
        for name in ["undo"] * back + ["redo"] * self.chance.randint(0, back):
            self._act(name)
            yield 0.02

    def look_around(self) -> Act:
        """Zoom, pan, fit."""
        self._act(self.chance.choice(["zoom_in", "zoom_out", "actual_size", "toggle_layout"]))
        yield 0.02
        hand.wheel(self.canvas, self._place(), self.chance.choice([-1, 1]))
        yield 0.02
        hand.drag(self.canvas, self._place(), self._place(), button=hand.MIDDLE)
        yield 0.02
        self._act("fit")

    def change_map(self) -> Act:
        """The whole map at once."""
        self._act("mirror")
        yield 0.05
        self.pen.choose(self.chance.randrange(len(self.window.scene.palette)))
        self.pen.use("fill")
        self.pen.set_contiguous(False)
        hand.drag(self.canvas, self._place())
        self.pen.set_contiguous(True)
        yield 0.05

    # -- pictures ---------------------------------------------------------------------------------

    def generate(self) -> Act:
        """One picture, in few steps."""
        self._set_steps()
        self._act("generate")
        yield from self._idle()

    def generate_and_cancel(self) -> Act:
        """A picture that is given up, and one that takes its place."""
        self._set_steps()
        self._act("generate")
        yield self.chance.uniform(0, 0.5)
        self._act("generate" if self.chance.random() < 0.5 else "cancel")
        yield from self._idle()

    def paint_live(self) -> Act:
        """The picture follows the brush, for some strokes."""
        live = self.window.acts["live"]
        live.setChecked(True)
        for _ in range(self.chance.randint(3, 8)):
            self.pen.choose(self.chance.randrange(len(self.window.scene.palette)))
            self.pen.resize(self.chance.randint(6, 40))
            yield from self._gesture(self.chance.choice(["brush", "lasso", "ellipse", "eraser"]))
            yield self.chance.uniform(0.1, 0.8)
            yield from self._consent()
        self._act("keep_picture")
        live.setChecked(False)
        yield from self._idle()

    def vary(self) -> Act:
        """A grid; one of it is taken, or none."""
        panel = self.window.desk.panel
        self._set_steps()
        panel.seeds.setValue(self.chance.choice([2, 4]))
        panel.scales.setText(self.chance.choice(["", "1, 2"]))
        self._act("variations")
        yield 0.05
        yield from self._idle()
        for key in (Key.Key_Right, Key.Key_Down, Key.Key_Right):
            QTest.keyClick(panel.grid, key)
            yield 0.05
        QTest.keyClick(panel.grid, self.chance.choice([Key.Key_Return, Key.Key_Escape]))
        yield 0.05
        self.window.desk.variations.leave()

    def repaint(self) -> Act:
        """A region is marked and made anew."""
        if not self.studio.result:
            return
        self._act("mark")
        yield from self._gesture("brush")
        self._act("repaint")
        yield from self._propose()
        self.window.local.edits.clear_marks()
        self.window.local.stop_marking()

    def update(self) -> Act:
        """What was painted since is made anew."""
        self.pen.choose(self.chance.randrange(len(self.window.scene.palette)))
        self.pen.resize(30)
        yield from self._gesture("brush")
        self._act("update")
        yield from self._propose()

    def _propose(self) -> Act:
        yield 0.05
        yield from self._idle()
        for name in self.chance.choice([["keep_edit"], ["next_edit", "previous_edit", "cancel"]]):
            self._act(name)
            yield 0.05
            yield from self._idle()
        self.window.local.edits.drop()

    def scrub(self) -> Act:
        """Back through the steps of the last picture, and on from there."""
        for _ in range(4):
            self._act("earlier_step")
            yield 0.15
        self._act(self.chance.choice(["fork", "later_step"]))
        yield from self._idle()

    def match(self) -> Act:
        """Where the picture differs, and a label of it made anew."""
        self._act("differences")
        yield 0.5
        self._act("fix_label")
        yield from self._propose()
        self._act("differences")

    def control_labels(self) -> Act:
        """A label is locked, gets a seed of its own, is let go."""
        for name in ("lock_label", "new_label_seed", "lock_label"):
            self._act(name)
            yield 0.05
            yield from self._idle()
        self._act("undo")

    def guide(self) -> Act:
        """Other settings, and a reference that goes again."""
        panel = self.window.generate_panel
        for _ in range(5):
            panel.guidance.setValue(self.chance.randint(10, 40))
            yield 0.05
        self._act("another_style")
        self._act("reference_last")
        yield 0.7
        yield from self._idle()
        wanted = self.window.scene.wanted
        for term in wanted.table:
            wanted.remove(term.key)
        yield 0.05

    # -- the history ------------------------------------------------------------------------------

    def walk_history(self) -> Act:
        """Look at pictures, star, use, delete, filter."""
        strip = self.window.history_panel.strip
        strip.setFocus()
        for _ in range(self.chance.randint(1, 6)):
            QTest.keyClick(strip, self.chance.choice([Key.Key_Left, Key.Key_Right]))
            yield 0.06
        self._act(self.chance.choice(["star", "use_settings", "delete_pictures"]))
        yield 0.06
        self.window.history_panel.search.setText("sky")
        yield 0.06
        self.window.history_panel.search.clear()
        self.canvas.setFocus()

    def compare(self) -> Act:
        """Two pictures side by side."""
        self._act("compare")
        yield 0.1
        panel = self.window.gallery.compare_window
        for button in panel.buttons.values():
            button.click()
            yield 0.05
        panel.close()

    # -- the document -----------------------------------------------------------------------------

    def change_palette(self) -> Act:
        """The scene in another palette, painted on, and back."""
        for name in (self.chance.choice(PALETTES), "landscape"):
            self.window.palettes.converting.choose(name)
            yield 0.05
            yield from self._consent()
            yield from self.paint()
            self._act("generate")
            yield 0.1
            yield from self._consent()
            yield from self._idle()

    def save(self) -> Act:
        """A project, or the label map alone."""
        filing, chance = self.window.filing, self.chance
        self._answer = self._new_file(chance.choice([".sdms", ".sdms", ".map.png"]))
        yield from self._aside(chance.choice([filing.save, filing.save_as]))
        self._answer = self._new_file(chance.choice([".png", ".jpg", ".webp", ".tif"]))
        yield from self._aside(filing.save_picture)
        self._tidy()

    def open(self) -> Act:
        """A project, a map or a picture that was saved."""
        files = sorted(path for path in self.folder.iterdir() if path.is_file())
        if files:
            path = self.chance.choice(files)
            document = path.suffixes in ([".sdms"], [".map", ".png"])
            take = self.window.filing.open_path if document else self.window.exchange.take
            yield from self._aside(lambda: take(path))
            yield from self._consent()

    def begin_anew(self) -> Act:
        """An example, or nothing at all."""
        if self.chance.random() < 0.3:
            yield from self._aside(self.window.filing.new)
        else:
            self._act("start_page")
            yield 0.05
            example = self.chance.choice(EXAMPLES)
            yield from self._aside(lambda: self.window.start.open_example(example))

    def export(self) -> Act:
        """Everything that can be written."""
        self.window.store.keep_folder("exports", self.folder)
        QTimer.singleShot(0, self.window, self.window.acts["export"].trigger)
        yield lambda: isinstance(QApplication.activeModalWidget(), ExportDialog)
        dialog = QApplication.activeModalWidget()
        for box in dialog.boxes.values():
            box.setChecked(box.isEnabled())
            yield 0.01
        dialog.start()
        yield lambda: not isinstance(QApplication.activeModalWidget(), ExportDialog)
        self._tidy()

    def trace(self) -> Act:
        """A photo beside the map, under it, and away."""
        yield from self._aside(lambda: self.window.exchange.load_photo(TRACED, True))
        yield 0.1
        self._act("photo_under")
        yield 0.1
        self._act("photo_away")

    # -- the window -------------------------------------------------------------------------------

    def view_labels(self) -> Act:
        """Borders, patterns, one label alone, only those in use: on and off."""
        for name in ("borders", "patterns", "alone", "used_only") * 2:
            self._act(name)
            yield 0.03

    def change_theme(self) -> Act:
        """Every theme."""
        for theme in THEMES:
            self.window.choose_theme(theme)
            yield 0.1

    def look_things_up(self) -> Act:
        """The keys, the shortcuts, the controls of a label, a label by its name."""
        for name in ("keys", "shortcuts", "label_controls"):
            self._act(name)
            yield 0.1
            for widget in QApplication.topLevelWidgets():
                if widget is not self.window and widget.isVisible():
                    widget.close()
            yield 0.05
        self.window.palette_panel.search.setText("wat")
        yield 0.05
        self.window.palette_panel.search.clear()
        self.window.activateWindow()
        self.canvas.setFocus()

    # -- how --------------------------------------------------------------------------------------

    def _act(self, name: str) -> None:
        self.window.acts[name].trigger()  # one that is disabled does nothing

    def _press(self, key: Key) -> None:
        QTest.keyClick(self.canvas, key)

    def _place(self) -> tuple[float, float]:
        """Somewhere on the map, a little beyond its edge at times."""
        width, height = self.window.scene.size
        return self.chance.uniform(-9, width + 9), self.chance.uniform(-9, height + 9)

    def _set_steps(self) -> None:
        panel = self.window.generate_panel
        panel.steps.setValue(self.chance.randint(*STEPS))

    def _idle(self) -> Act:
        """Until nothing is under way."""
        yield 0.02
        yield lambda: self.studio.busy in ("", "loading") and self.studio.model is not None

    def _aside(self, work: Callable[[], object]) -> Act:
        """Do what may wait in an event loop of its own, and go on after it."""
        done: list[None] = []

        def both() -> None:
            try:
                work()
            finally:
                done.append(None)

        QTimer.singleShot(0, self.window, both)
        while not done:
            yield lambda: bool(done) or isinstance(QApplication.activeModalWidget(), ASKING)
            dialog = QApplication.activeModalWidget()
            if isinstance(dialog, QMessageBox):
                dialog.defaultButton().click()
            elif isinstance(dialog, ImportDialog):
                dialog.accept()
            yield 0.02

    def _consent(self) -> Act:
        """Say yes to a table of labels, if there is one."""
        for dialog in self.window.findChildren(ConversionDialog):
            if dialog.isVisible():
                dialog.confirm.click()
                yield 0.05

    def _new_file(self, suffix: str) -> Path:
        return self.folder / f"{self.chance.randrange(20):02d}{suffix}"

    def _tidy(self) -> None:
        """Keep the folder small."""
        for path in sorted(self.folder.iterdir(), key=lambda p: p.stat().st_mtime)[:-12]:
            path.unlink()


def _consent(buttons: Button) -> Button:
    """Give unsaved changes up, allow everything else."""
    for button in (Button.Discard, Button.Yes):
        if buttons & button:
            return button
    return Button.Ok
