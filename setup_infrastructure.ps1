# Sets up Schoolhouse in this folder and starts it; run again at any time. Options:
#   --demo --test --production --port N --data-dir DIR --school NAME --email ADDR --no-start
#   --domain NAME --certificate FILE --certificate-key FILE --yes --dry-run --help
# All the work is done by school\bootstrap; this finds a Python that is new enough.
$bootstrap = Join-Path $PSScriptRoot 'school\bootstrap'
$check = 'import sys; sys.exit(sys.version_info < (3, 11))'
foreach ($python in @($env:PYTHON, 'py', 'python3', 'python')) {
    if (-not $python) { continue }
    if (-not (Get-Command $python -ErrorAction SilentlyContinue)) { continue }
    & $python -c $check 2>$null
    if ($LASTEXITCODE -eq 0) {
        & $python $bootstrap @args
        exit $LASTEXITCODE
    }
}
Write-Host 'Schoolhouse needs Python 3.11 or newer, and none was found here.'
Write-Host 'What to do: install it from python.org or your system, and run this again.'
exit 1
