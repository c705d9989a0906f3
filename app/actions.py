"""Everything that a menu, a button or a key can ask for: one table row each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from app.icons import set_icon


class Wish(NamedTuple):
    """One thing to ask for. keys: shortcuts as text; the first is shown. icon: a name or ""."""

    name: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str = ""


FILE = (
    Wish("new", "New", ("Ctrl+N",)),
    Wish("open", "Open…", ("Ctrl+O",)),
    Wish("open_weights", "Open weights…", ("Ctrl+Shift+O",)),
    Wish("import_weights", "Import weights…", ("Ctrl+Alt+O",)),
    Wish("save", "Save", ("Ctrl+S",)),
    Wish("save_as", "Save as…", ("Ctrl+Shift+S",)),
    Wish("save_picture", "Save picture…", ("Ctrl+E",), "save"),
    Wish("import", "Import…", ("Ctrl+I",)),
    Wish("export", "Export…", ("Ctrl+Shift+E", "Ctrl+Alt+E")),
    Wish("photo", "Photo to trace…", ("Ctrl+R",)),
    Wish("photo_labels", "Labels from photo…", ("Ctrl+Alt+R",)),
    Wish("add_to_set", "Add this scene to my set…", ("Ctrl+Alt+A",)),
    Wish("my_set", "My set…", ("Ctrl+Alt+M",)),
    Wish("quit", "Quit", ("Ctrl+Q",)),
)
EDIT = (
    Wish("undo", "Undo", ("Ctrl+Z",), "undo"),
    Wish("redo", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo"),
)
SETUP = (Wish("shortcuts", "Keyboard shortcuts…"),)
TOOLS = (
    Wish("brush", "Brush", ("B",), "brush"),
    Wish("eraser", "Eraser", ("E",), "eraser"),
    Wish("fill", "Fill", ("F",), "fill"),
    Wish("rectangle", "Rectangle", ("R",), "rectangle"),
    Wish("ellipse", "Ellipse", ("O",), "ellipse"),
    Wish("polygon", "Polygon", ("P",), "polygon"),
    Wish("lasso", "Lasso", ("L",), "lasso"),
    Wish("pick", "Pick a label", ("I",), "pick"),
    Wish("pan", "Pan", ("H",), "pan"),
)
LABELS = (
    Wish("previous_label", "Previous label", ("-",)),
    Wish("next_label", "Next label", ("=",)),
    Wish("swap", "Swap with the last label", ("X",)),
    Wish("preserve", "Preserve labels", ("K",), "preserve"),
    Wish("search", "Search labels", ("Ctrl+F",)),
    Wish("smaller", "Smaller brush", ("[",)),
    Wish("larger", "Larger brush", ("]",)),
)
CONTROLS = (
    Wish("lock_label", "Lock this label", ("Shift+L",), "lock"),
    Wish("new_label_seed", "New seed for this label", ("Shift+N",)),
    Wish("label_controls", "Label controls…", ("Shift+C",)),
)
MAP = (
    Wish("mirror", "Mirror", ("M",)),
    Wish("replace_label", "Replace a label…", ("Ctrl+H",)),
    Wish("canvas_size", "Canvas size…", ("Ctrl+Alt+C",)),
)
PINNED = tuple(Wish(f"pinned_{n}", f"Pinned label {n}", (str(n),)) for n in range(1, 10))
PIN = tuple(Wish(f"pin_{n}", f"Pin this label to {n}", (f"Alt+{n}",)) for n in range(1, 10))
PALETTE = (
    Wish("load_palette", "Load palette file…"),
    Wish("edit_palette", "Edit palette…"),
)
PICTURE = (
    Wish("generate", "Generate", ("Ctrl+Return", "Ctrl+Enter")),
    Wish("variations", "Variations", ("Ctrl+Shift+Return", "Ctrl+Shift+Enter")),
    Wish("cancel", "Cancel", ("Esc",)),
    Wish("cancel_all", "Cancel all", ("Ctrl+Shift+X",)),
)
STEPS = (
    Wish("earlier_step", "Earlier step of the picture", ("Alt+Left",)),
    Wish("later_step", "Later step of the picture", ("Alt+Right",)),
    Wish("fork", "Fork here", ("Ctrl+Shift+F",)),
)
LOCAL = (
    Wish("update", "Update", ("F5",)),
    Wish("repaint", "Repaint the region", ("Shift+F5",)),
    Wish("mark", "Mark a region", ("Q",), "mark"),
    Wish("clear_marks", "Clear the marks", ("Ctrl+Shift+Q",)),
    Wish("show_region", "Show the region", ("Shift+Q",)),
    Wish("edit_controls", "Controls of local edits", ("Ctrl+L",)),
    Wish("keep_edit", "Keep the proposal", ("Return", "Enter")),
    Wish("next_edit", "Next proposal", ("Right",)),
    Wish("previous_edit", "Previous proposal", ("Left",)),
)
MATCH = (
    Wish("differences", "Where the picture differs", ("D",)),
    Wish("fix_label", "Fix this label", ("Shift+D",)),
    Wish("best_of", "Take the best of some seeds", ("Ctrl+Alt+Return", "Ctrl+Alt+Enter")),
)
GUIDING = (
    Wish("prompt", "Words for the picture", ("Ctrl+T",)),
    Wish("another_line", "Another line of words", ("Ctrl+Shift+T",)),
    Wish("reference_file", "Picture to be like…", ("Ctrl+Alt+T",)),
    Wish("reference_last", "Be like the last picture"),
    Wish("references_chosen", "Be like those chosen in the history"),
)
LIVE = (
    Wish("live", "Live", ("V",), "live"),
    Wish("refine", "Refine when resting"),
    Wish("keep_picture", "Keep this picture", ("Ctrl+Shift+D",)),
)
STYLE = (
    Wish("another_style", "Another style", ("Y",), "dice"),
    Wish("any_style", "Any style"),
    Wish("style_from", "Style of a picture…", ("Shift+Y",)),
    Wish("style_of_photo", "Style of the photo"),
    Wish("style_of_picture", "Style of this picture"),
)
HISTORY = (
    Wish("use_settings", "Use these settings", ("Ctrl+U",), "use"),
    Wish("star", "Star", ("Ctrl+D",), "star"),
    Wish("compare", "Compare…", ("Ctrl+K",), "compare"),
    Wish("delete_pictures", "Delete pictures", ("Del",), "delete"),
    Wish("go_to_history", "Go to the history", ("Ctrl+Shift+H",)),
    Wish("history_limit", "Space for the history…"),
)
VIEW = (
    Wish("fit", "Fit to window", ("Ctrl+0",), "fit"),
    Wish("actual_size", "100 %", ("Ctrl+1",), "actual"),
    Wish("zoom_in", "Zoom in", ("Ctrl++", "Ctrl+=")),
    Wish("zoom_out", "Zoom out", ("Ctrl+-",)),
    Wish("toggle_layout", "Layout or picture", ("Tab",)),
    Wish("next_panel", "Next panel", ("F6",)),
    Wish("previous_panel", "Previous panel", ("Shift+F6",)),
    Wish("photo_under", "Photo under the map", ("Ctrl+Shift+R",)),
    Wish("photo_away", "Put the photo away"),
)
LABEL_VIEW = (
    Wish("alone", "Show only this label", ("S",), "alone"),
    Wish("used_only", "List only labels in use", ("U",), "filter"),
    Wish("borders", "Label borders", ("C",)),
    Wish("patterns", "Patterns on labels"),
)
HELP = (Wish("keys", "Keys", ("F1",)), Wish("start_page", "Start page"))

BY_POINTER = (  # what the canvas itself understands, for the key sheet
    ("Shift+click", "Straight line from the last point"),
    ("Shift+drag", "Square, circle"),
    ("Double click, Enter", "Close the polygon"),
    ("Backspace", "Take the last corner back"),
    ("Esc", "Drop the stroke or shape"),
    ("Alt+click", "Pick a label"),
    ("1 … 9, Alt+1 … 9", "Take a pinned label, pin the label in hand"),
    ("Arrows, Ctrl+arrows", "Move the cursor, by a pixel"),
    ("Enter", "Put the tool down there, lift it"),
    ("Wheel", "Zoom about the pointer"),
    ("Ctrl+wheel", "Size of the brush"),
    ("Space+drag, middle button", "Pan"),
)


def build_action(wish: Wish, slot: Callable[[], None], parent: QWidget) -> QAction:
    """The action of a wish; `slot` takes no argument. Its keys come from `Shortcuts.apply`."""
    action = QAction(wish.text, parent)
    action.setObjectName(wish.name)
    action.triggered.connect(lambda: slot())
    if wish.icon:
        set_icon(action, wish.icon)
    return action
