// Two pictures of one size, one over the other, each shown on its side of a divider; or side by side.

const GAP = 12;  // pixels between pictures side by side

function element(tag, className, parent, attributes = {}) {
  const made = Object.assign(document.createElement(tag), { className });
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return parent.appendChild(made);
}

function render({ model, el }) {
  const stage = element("div", "kmc-stage", el);
  const pictures = ["before", "after"].map((name) => {
    const frame = element("figure", `kmc-picture kmc-${name}`, stage);
    const picture = { name, image: element("img", "", frame, { draggable: "false" }) };
    picture.caption = element("figcaption", "", frame);
    return picture;
  });
  const divider = element("div", "kmc-divider", stage, {
    role: "slider", tabindex: "0", "aria-label": "Divider between before and after",
    "aria-valuemin": "0", "aria-valuemax": "100",
  });

  const showPicture = ({ name, image }) => {
    const old = image.src;
    image.addEventListener("load", () => { URL.revokeObjectURL(old); fit(); }, { once: true });
    image.src = URL.createObjectURL(new Blob([model.get(name)], { type: "image/png" }));
  };

  const showCaption = ({ name, image, caption }) => {
    image.alt = caption.textContent = model.get(`${name}_caption`);
  };

  const showDivider = () => {
    const percent = Math.round(100 * model.get("position"));
    stage.style.setProperty("--kmc-position", `${100 * model.get("position")}%`);
    divider.setAttribute("aria-valuenow", percent);
    divider.setAttribute("aria-valuetext", `${percent} % before, ${100 - percent} % after`);
  };

  // As large as there is room: whole multiples of the pixels once they are to be seen one by one.
  const fit = () => {
    const { naturalWidth: width, naturalHeight: height } = pictures[0].image;
    const beside = model.get("beside");
    const room = beside ? (el.clientWidth - GAP) / 2 : el.clientWidth;
    let scale = Math.min(room / width, (0.82 * window.innerHeight) / height);
    if (!(scale > 0 && scale < Infinity)) return;  // not loaded, or not visible
    if (scale >= 2) scale = Math.floor(scale);
    stage.style.setProperty("--kmc-width", `${width * scale}px`);
    stage.style.setProperty("--kmc-height", `${height * scale}px`);
    stage.classList.toggle("kmc-magnified", scale >= 2);
    stage.classList.toggle("kmc-beside", beside);
  };

  const moveTo = (position) => {
    model.set("position", Math.min(Math.max(position, 0), 1));
    model.save_changes();
  };
  const drag = (event) => {
    const box = stage.getBoundingClientRect();
    moveTo((event.clientX - box.left) / box.width);
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button || model.get("beside")) return;
    stage.setPointerCapture(event.pointerId);
    stage.addEventListener("pointermove", drag);
    divider.focus({ preventScroll: true });
    event.preventDefault();
    drag(event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, () => stage.removeEventListener("pointermove", drag));
  }
  divider.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 0.1 : 0.01, at = model.get("position");
    const places = {
      ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step,
      PageDown: at - 0.1, PageUp: at + 0.1, Home: 0, End: 1,
    };
    if (!(event.key in places)) return;
    event.preventDefault();
    event.stopPropagation();  // a notebook has uses of its own for these keys
    moveTo(places[event.key]);
  });

  for (const picture of pictures) {
    model.on(`change:${picture.name}`, () => showPicture(picture));
    model.on(`change:${picture.name}_caption`, () => showCaption(picture));
    showPicture(picture);
    showCaption(picture);
  }
  model.on("change:position", showDivider);
  model.on("change:beside", fit);
  const observer = new ResizeObserver(fit);
  observer.observe(el);
  window.addEventListener("resize", fit);
  showDivider();
  model.send("shown");  // as what changed while the page was loaded may not have come here
  return () => {
    observer.disconnect();
    window.removeEventListener("resize", fit);
    pictures.forEach(({ image }) => URL.revokeObjectURL(image.src));
  };
}

export default { render };
