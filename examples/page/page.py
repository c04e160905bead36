"""The page as text: the whole one, and the part that it asks for again every second."""

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Weather station</title>
<link rel="icon" href="data:,">
<style>
body { max-width: 26rem; margin: 0 auto; padding: 1rem; font-family: sans-serif;
       color: #1c2a3a; background: #eef2f6; }
h1 { font-size: 1.6rem; }
.sensor { margin: 1rem 0; padding: .75rem 1rem; border-radius: .5rem; background: white; }
.sensor h2 { margin: 0 0 .5rem; font-size: 1rem; color: #5a6b7d; }
.sensor p { display: flex; justify-content: space-between; margin: .25rem 0; }
.measure { display: block; padding: 1rem; border-radius: .5rem; text-align: center;
           font-weight: bold; text-decoration: none; color: white; background: #1d6fb8; }
</style>
</head>
<body>
<h1>Weather station</h1>
<a class="measure" href="/?measure=on" onclick="this.textContent = 'MEASURING ...'">MEASURE</a>
<div id="sensors">
"""

TAIL = """</div>
<script>
setInterval(async () => {
    const answer = await fetch("/values");
    document.getElementById("sensors").innerHTML = await answer.text();
}, 1000);
</script>
</body>
</html>
"""


def render_values(sensors):
    html = ""
    for sensor in sensors:
        html += '<div class="sensor"><h2>' + sensor.name + "</h2>\n"
        for what, how_much in sensor.values() or [("not measured yet", "")]:
            html += "<p>" + what + " <strong>" + how_much + "</strong></p>\n"
        html += "</div>\n"
    return html


def render_page(sensors):
    return HEAD + render_values(sensors) + TAIL
