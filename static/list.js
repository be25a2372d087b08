// A list of rooms from a file: it is put, whole, where it can be read once more before it is sent. What is too much
// the server says.
const file = document.getElementById("list");
const box = document.querySelector('textarea[name="rooms"]');
if (file && box) {
  file.parentElement.hidden = false;
  file.addEventListener("change", async () => {
    if (!file.files[0]) return;
    box.value = await file.files[0].text();
    file.value = "";
    box.focus();
  });
}
